// One small chart: lines or stacked columns over the last two minutes, with its legend in words.

import { make, write } from "./element.js";
import { Surface } from "./surface.js";

const SECONDS = 120;
const TOP = 8;
const LEFT = 34;

/** The next round number: 1, 2 or 5 with noughts. */
function roundUp(number) {
  const power = 10 ** Math.floor(Math.log10(Math.max(number, 1e-9)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= number * 0.9999);
}

export class Chart {
  #entries = new Map();
  #points = []; // { second: 0 is now, values: { name: number } }
  #series = [];

  /** `least`: what the scale shows at least; `stacked`: columns on one another instead of lines. */
  constructor(title, { unit, least, stacked = false }) {
    Object.assign(this, { unit, least, stacked });
    this.legend = make("ul", { className: "legend" });
    this.note = make("span", { className: "quiet" });
    this.canvas = make("canvas", { "aria-hidden": "true" });
    const heading = make("h2", { textContent: `${title} ` });
    heading.append(this.note);
    this.element = make("figure", { className: "panel chart" }, make("figcaption", {}, heading, this.legend), this.canvas);
    this.surface = new Surface(this.canvas, () => this.draw());
  }

  /** `series`: [{ name, colour: a CSS variable, text }]; `points` as above; `note`: small print. */
  update(series, points, note) {
    this.#series = series;
    this.#points = points;
    write(this.note, note);
    for (const name of this.#entries.keys()) if (!series.some((one) => one.name === name)) this.#forget(name);
    for (const one of series) this.#entry(one);
    this.draw();
  }

  #entry({ name, colour, text }) {
    let entry = this.#entries.get(name);
    if (!entry) {
      const value = make("b");
      const key = make("i", { "aria-hidden": "true" });
      const element = make("li", {}, key, `${name.replaceAll("_", " ")} `, value);
      this.#entries.set(name, (entry = { element, key, value }));
      this.legend.append(element);
    }
    entry.key.style.background = `var(${colour})`;
    write(entry.value, text);
  }

  #forget(name) {
    this.#entries.get(name).element.remove();
    this.#entries.delete(name);
  }

  draw() {
    const context = this.surface.begin();
    if (!context) return;
    const ink = getComputedStyle(this.canvas);
    const top = roundUp(Math.max(this.least, ...this.#points.map(({ values }) => this.#reach(values))));
    this.#grid(context, top, ink);
    if (this.stacked) this.#columns(context, top, ink);
    else for (const series of this.#series) this.#line(context, series, top, ink);
  }

  #reach(values) {
    const numbers = this.#series.map(({ name }) => values[name] ?? 0);
    return this.stacked ? numbers.reduce((sum, value) => sum + value, 0) : Math.max(0, ...numbers);
  }

  #grid(context, top, ink) {
    const { width, height } = this.surface;
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const part of [0, 0.5, 1]) {
      const y = Math.round(this.#y(part * top, top)) + 0.5;
      context.fillStyle = ink.getPropertyValue("--line");
      context.fillRect(LEFT, y - 0.5, width - LEFT, 1);
      context.fillStyle = ink.color;
      context.fillText(this.unit(part * top), LEFT - 6, Math.min(y, height - 7));
    }
  }

  #line(context, { name, colour }, top, ink) {
    context.strokeStyle = ink.getPropertyValue(colour);
    context.lineWidth = 1.75;
    context.lineJoin = "round";
    context.beginPath();
    let before = null;
    for (const { second, values } of this.#points) {
      const value = values[name] ?? null;
      const joined = before !== null && before - second < 2.5;
      if (value !== null) context[joined ? "lineTo" : "moveTo"](this.#x(second), this.#y(value, top));
      before = value === null ? null : second;
    }
    context.stroke();
  }

  #columns(context, top, ink) {
    const wide = Math.max(1, (this.surface.width - LEFT) / SECONDS - 1);
    for (const { second, values } of this.#points) {
      let sum = 0;
      for (const { name, colour } of this.#series) {
        const value = values[name] ?? 0;
        if (!value) continue;
        context.fillStyle = ink.getPropertyValue(colour);
        const [low, high] = [this.#y(sum, top), this.#y(sum + value, top)];
        context.fillRect(this.#x(second) - wide, high, wide, low - high);
        sum += value;
      }
    }
  }

  #x(second) {
    return LEFT + (1 - second / SECONDS) * (this.surface.width - LEFT);
  }

  #y(value, top) {
    const floor = this.surface.height - 4;
    return floor - (value / top) * (floor - TOP);
  }
}
