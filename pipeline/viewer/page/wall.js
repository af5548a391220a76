// All streams side by side, or one of them large; and which of them the reader can see.

import { arrange, byId, make } from "./element.js";
import { Signal } from "./signal.js";
import { Tile } from "./tile.js";

export class Wall {
  tiles = new Map();
  large = new Signal(null); // the name of the stream that is shown large, or null
  #element = byId("wall");
  #visible = new Set();
  #looks = "";

  /** `look` is called with the names that are to be seen; the rest goes to the tiles. */
  constructor({ look, ...equipment }) {
    this.look = look;
    this.equipment = { ...equipment, open: (name) => this.open(name) };
    this.back = make("button", { type: "button", className: "back plain", textContent: "← All streams", onclick: () => this.open(null), "aria-keyshortcuts": "Escape" });
    this.observer = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "80px" });
    addEventListener("hashchange", () => this.#follow());
    document.addEventListener("visibilitychange", () => this.#tellLooks());
  }

  /** The streams that are there now, as rows of the news. */
  update(streams, now) {
    for (const name of this.tiles.keys()) if (!streams.has(name)) this.#remove(name);
    for (const [name, row] of streams) {
      if (!this.tiles.has(name)) this.#add(name);
      this.tiles.get(name).tell(row, now);
    }
    this.tiles = new Map([...streams.keys()].map((name) => [name, this.tiles.get(name)]));
    this.#follow();
  }

  /** Show one stream large, or all; the address says which, so that "back" goes back. */
  open(name) {
    const before = this.large.value;
    location.hash = name === null ? "" : new URLSearchParams({ stream: name }).toString();
    this.#follow();
    if (name === null) this.tiles.get(before)?.button.focus();
    else if (!this.back.hidden) this.back.focus();
  }

  /** Show the stream `step` places after the large one; if there is one. */
  next(step) {
    const names = [...this.tiles.keys()];
    if (names.length < 2 || this.large.value === null) return false;
    this.open(names[(names.indexOf(this.large.value) + step + names.length) % names.length]);
    return true;
  }

  /** The names of the streams that the panels are about. */
  get shown() {
    return this.large.value === null ? [...this.tiles.keys()] : [this.large.value];
  }

  draw() {
    for (const name of this.#visible) this.tiles.get(name)?.draw();
  }

  soil() {
    for (const tile of this.tiles.values()) tile.soil();
  }

  #add(name) {
    const tile = new Tile(name, this.equipment);
    this.tiles.set(name, tile);
    this.observer.observe(tile.element);
  }

  #remove(name) {
    const tile = this.tiles.get(name);
    this.observer.unobserve(tile.element);
    this.tiles.delete(name);
    this.#visible.delete(name);
  }

  /** Do what the address says; a single stream is always large. */
  #follow() {
    const asked = new URLSearchParams(location.hash.slice(1)).get("stream");
    const only = this.tiles.size === 1 ? [...this.tiles.keys()][0] : null;
    const large = this.tiles.has(asked) ? asked : only;
    this.back.hidden = large === null || only !== null;
    this.#element.classList.toggle("one", large !== null);
    for (const [name, tile] of this.tiles) {
      tile.element.hidden = large !== null && name !== large;
      tile.button.hidden = name === large;
    }
    arrange(this.#element, [this.back, ...[...this.tiles.values()].map(({ element }) => element)]);
    if (large !== this.large.value) {
      this.large.set(large);
      this.soil();
    }
    this.#tellLooks();
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.#visible.add(target.dataset.stream);
      else this.#visible.delete(target.dataset.stream);
    }
    this.#tellLooks();
  }

  /** Pictures cost the pipeline something: only those are asked for that somebody can see. */
  #tellLooks() {
    const names = document.hidden ? [] : this.shown.filter((name) => this.#visible.has(name));
    const looks = JSON.stringify(names);
    if (looks === this.#looks) return;
    this.#looks = looks;
    this.look(names);
  }
}
