// The time line: a bar for each track, from when it appeared until it left.

import { byId, write } from "./element.js";
import { css, textColour, trackColour } from "./palette.js";
import { keyOf } from "./store.js";
import { Surface } from "./surface.js";

const WINDOW_MS = 120_000;
const LANE = 16;
const AXIS = 18;
const SHORTEST = 3; // CSS px
const SEAM = 1; // CSS px between two bars of a lane

export class Lanes {
  #canvas = byId("lanes");
  #bars = [];
  #several = false; // streams: bars say whose they are

  constructor(store, highlight) {
    this.store = store;
    this.highlight = highlight;
    this.surface = new Surface(this.#canvas, () => this.draw());
    this.#canvas.addEventListener("pointermove", (event) => this.#point(this.#under(event)));
    this.#canvas.addEventListener("pointerleave", () => this.#point(null));
  }

  /** Take up what happened to the streams `shown`. */
  update(shown) {
    const bars = new Map(); // by the time of appearing, too: a track may come again, an id begin anew
    for (const { what, stream, epoch, track, label, t, seen, lasted } of this.store.events) {
      if (!shown.includes(stream)) continue;
      const key = keyOf(stream, epoch, track);
      if (what === "appeared") bars.set(`${key}@${t}`, { key, stream, track, label, from: t, to: null });
      if (what === "left") bars.set(`${key}@${seen - lasted}`, { key, stream, track, label, from: seen - lasted, to: seen });
    }
    for (const { key, stream, track, label, t, leftAt } of this.store.tracks.values()) {
      const name = `${key}@${t}`;
      if (shown.includes(stream) && !bars.has(name)) bars.set(name, { key, stream, track, label, from: t, to: leftAt });
    }
    this.#bars = this.#laid([...bars.values()]);
    this.#several = shown.length > 1;
  }

  draw() {
    const context = this.surface.begin();
    if (!context) return;
    const { width, height } = this.surface;
    const ink = getComputedStyle(this.#canvas);
    const now = this.store.now();
    this.#axis(context, width, height, ink);
    for (const bar of this.#bars) this.#bar(context, bar, now, width);
  }

  /** Each bar in the highest lane that is free for it; those without a lane are counted. */
  #laid(bars) {
    const start = this.store.now() - WINDOW_MS;
    const lanes = Math.max(1, Math.floor((this.surface.height - AXIS) / LANE));
    const shortest = (SHORTEST / Math.max(1, this.surface.width)) * WINDOW_MS;
    const until = [];
    const recent = bars.filter(({ to }) => to === null || to > start).sort((a, b) => a.from - b.from);
    for (const bar of recent) {
      const free = until.findIndex((end) => end <= bar.from);
      bar.lane = free >= 0 ? free : until.length;
      if (bar.lane < lanes) until[bar.lane] = bar.to === null ? Infinity : Math.max(bar.to, bar.from + shortest);
    }
    const laid = recent.filter(({ lane }) => lane < lanes);
    const more = recent.length - laid.length;
    write(byId("timeline-more"), more ? `· ${more} more` : "");
    return laid;
  }

  #axis(context, width, height, ink) {
    const line = ink.getPropertyValue("--line");
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "alphabetic";
    for (let back = 0; back <= WINDOW_MS; back += 30_000) {
      const x = Math.round(width - (back / WINDOW_MS) * width) - 0.5;
      context.fillStyle = line;
      context.fillRect(x, 0, 1, height - AXIS);
      context.fillStyle = ink.color;
      context.textAlign = back === 0 ? "right" : back === WINDOW_MS ? "left" : "center";
      const text = back === 0 ? "now" : `−${back / 1000} s`;
      context.fillText(text, Math.max(0, Math.min(width, x)), height - 4);
    }
  }

  #bar(context, bar, now, width) {
    const { key, track, from, to, lane } = bar;
    const [x0, x1] = [this.#x(from, now, width), this.#x(to ?? now, now, width)];
    const colour = trackColour(track);
    const lit = this.highlight.lit;
    const wide = Math.max(SHORTEST, x1 - x0) - SEAM;
    context.fillStyle = css(colour, lit === null ? 0.85 : lit === key ? 1 : 0.25);
    context.beginPath();
    context.roundRect(x0, lane * LANE + 1, wide, LANE - 2, 4);
    context.fill();
    context.textAlign = "left";
    const seen = Math.max(0, x0);
    const fits = (text) => x0 + wide - seen >= context.measureText(text).width + 10;
    const text = [this.#several ? long(bar) : short(bar), short(bar)].find(fits);
    if (text === undefined) return;
    context.fillStyle = textColour(colour);
    context.fillText(text, seen + 6, lane * LANE + LANE - 4.5);
  }

  #x(t, now, width) {
    return Math.max(-8, width - ((now - t) / WINDOW_MS) * width);
  }

  #point(bar) {
    this.#canvas.title = bar ? long(bar) : "";
    this.highlight.hover(bar?.key ?? null);
  }

  #under({ offsetX, offsetY }) {
    const now = this.store.now();
    const { width } = this.surface;
    const lane = Math.floor(offsetY / LANE);
    const hit = (bar) => bar.lane === lane && offsetX >= this.#x(bar.from, now, width) && offsetX <= Math.max(this.#x(bar.to ?? now, now, width), this.#x(bar.from, now, width) + SHORTEST);
    return this.#bars.findLast(hit);
  }
}

function short({ label, track }) {
  return `${label} ${track}`;
}

function long(bar) {
  return `${short(bar)}, ${bar.stream}`;
}
