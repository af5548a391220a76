// One stream on the wall: its picture, its name, and what is wrong with it.

import { make, mark, write } from "./element.js";
import { paint, placement } from "./painter.js";
import { Surface } from "./surface.js";
import { Trails } from "./trails.js";
import { complaint, milliseconds, rate, stateWord } from "./words.js";

export class Tile {
  scene = null;
  #trails = new Trails();
  #owed = 0; // pictures that the server waits to hear of
  #dirty = true;

  /** `open` is called when it is to be shown large, `drawn` after each picture. */
  constructor(name, { open, drawn, layers, highlight }) {
    Object.assign(this, { name, drawn, layers, highlight });
    this.canvas = make("canvas", { role: "img", "aria-label": `Picture of ${name}` });
    this.button = make("button", { type: "button", className: "open", onclick: () => open(name), "aria-label": `Show ${name} large` });
    this.title = make("span", { className: "name", textContent: name });
    this.state = make("span", { className: "state" });
    this.numbers = make("span", { className: "numbers quiet" });
    this.veil = make("p", { className: "veil", hidden: true });
    const caption = make("p", { className: "caption" }, this.title, this.state, this.numbers);
    this.element = make("article", { className: "tile", "aria-label": name, "data-stream": name },
      make("div", { className: "field" }, this.canvas, this.veil, this.button), caption);
    this.surface = new Surface(this.canvas, () => this.soil());
    this.#point();
  }

  /** A new picture. */
  show(scene) {
    if (this.scene?.bitmap !== scene.bitmap) this.scene?.bitmap?.close();
    this.scene = scene;
    this.#owed++;
    this.#trails.note(scene, performance.now());
    this.soil();
  }

  /** It has to be drawn anew: another picture, layer, highlight or size. */
  soil() {
    this.#dirty = true;
  }

  /** Draw, if there is need; called once a frame of the screen. */
  draw() {
    if (!this.#dirty) return;
    this.#dirty = false;
    const context = this.scene && this.surface.begin();
    if (context) {
      const place = placement(this.scene, this.surface.width, this.surface.height);
      paint(context, this.scene, place, this.layers.value, this.#trails, this.highlight.lit);
    }
    if (this.scene) this.#report();
    for (; this.#owed > 0; this.#owed--) this.drawn(this.scene);
  }

  /** What the news say of it. */
  tell(row, now) {
    const words = complaint(row, now);
    mark(this.element, "data-state", row.state);
    mark(this.state, "data-state", row.state);
    write(this.state, stateWord(row.state));
    const age = row.age ? ` · ${milliseconds(row.age[0])}` : "";
    write(this.numbers, row.state === "running" ? `${rate(row.out)} fps${age}${this.#bare()}` : "");
    write(this.veil, words);
    this.veil.hidden = !words;
  }

  #bare() {
    return this.scene && !this.scene.bitmap ? " · records only" : "";
  }

  /** Facts for who cannot see the canvas, and for tests. */
  #report() {
    const { epoch, seq, things, bitmap } = this.scene;
    mark(this.canvas, "data-frame", `${epoch}/${seq}`);
    mark(this.canvas, "data-picture", bitmap ? "jpeg" : "none");
    mark(this.canvas, "data-tracks", things.map(({ track }) => track).filter((track) => track !== null).sort((a, b) => a - b).join(" "));
  }

  /** What lies under the pointer is highlighted; a click on it, in a large picture, keeps it so. */
  #point() {
    const field = this.element.firstChild;
    field.addEventListener("pointermove", (event) => this.highlight.hover(this.#under(event)?.key ?? null));
    field.addEventListener("pointerleave", () => this.highlight.hover(null));
    field.addEventListener("click", (event) => {
      const key = this.#under(event)?.key;
      if (this.button.hidden && key) this.highlight.pin(key);
    });
  }

  #under(event) {
    if (!this.scene) return null;
    const field = this.canvas.getBoundingClientRect();
    const place = placement(this.scene, field.width, field.height);
    const x = (event.clientX - field.left - place.left) / place.scaleX;
    const y = (event.clientY - field.top - place.top) / place.scaleY;
    const { context } = this.surface;
    context.save();
    context.resetTransform();
    const found = this.scene.things.findLast(({ path }) => context.isPointInPath(path, x, y, "evenodd"));
    context.restore();
    return found;
  }
}
