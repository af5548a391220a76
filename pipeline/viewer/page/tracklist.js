// The list of tracks: who is there, for how long, how surely; and a picture of each.

import { arrange, byId, make, mark, write } from "./element.js";
import { css, trackColour } from "./palette.js";
import { cutOut } from "./thumbnail.js";
import { percent, span } from "./words.js";

const MOST_ROWS = 100;
const ANEW_MS = 1000; // a thumbnail is cut anew
const HIDDEN_MS = 2000; // who is not seen for this long is shown faintly

export class TrackList {
  #rows = new Map();
  #list = byId("tracks");

  constructor(store, highlight) {
    this.store = store;
    this.highlight = highlight;
    highlight.changed.follow(() => this.#light());
    this.#list.addEventListener("keydown", (event) => this.#walk(event));
  }

  /** Show the tracks of the streams `shown`. */
  update(shown) {
    const wanted = [...this.store.tracks.values()].filter(({ stream }) => shown.includes(stream));
    wanted.sort((a, b) => shown.indexOf(a.stream) - shown.indexOf(b.stream) || a.t - b.t || a.track - b.track);
    const present = wanted.filter(({ leftAt }) => leftAt === null).length;
    const rows = wanted.slice(0, MOST_ROWS).map((track) => this.#row(track, shown.length > 1));
    for (const key of this.#rows.keys()) if (!this.store.tracks.has(key)) this.#rows.delete(key);
    arrange(this.#list, rows.map(({ element }) => element));
    write(byId("tracks-count"), present ? String(present) : "");
    byId("tracks-none").hidden = wanted.length > 0;
    byId("tracks-more").hidden = wanted.length <= MOST_ROWS;
    write(byId("tracks-more"), `and ${wanted.length - MOST_ROWS} more`);
  }

  /** A picture is on the screen: take scores and thumbnails from it. */
  drawn(scene) {
    const now = performance.now();
    for (const thing of scene.things) {
      const row = this.#rows.get(thing.key);
      if (!row) continue;
      row.seen = now;
      write(row.score, percent(thing.score));
      row.meter.style.inlineSize = percent(thing.score);
      if (scene.bitmap && now - row.cut > ANEW_MS) {
        row.cut = now;
        cutOut(row.thumbnail, scene, thing.box);
      }
    }
  }

  #row(track, withStream) {
    let row = this.#rows.get(track.key);
    if (!row) this.#rows.set(track.key, (row = this.#make(track)));
    const gone = track.leftAt !== null;
    write(row.age, gone ? "left" : span(this.store.now() - track.t));
    write(row.stream, withStream ? track.stream : "");
    row.element.classList.toggle("left", gone);
    row.element.classList.toggle("hidden-now", !gone && row.seen > 0 && performance.now() - row.seen > HIDDEN_MS);
    return row;
  }

  #make({ key, track, label }) {
    const thumbnail = make("canvas", { className: "thumbnail", width: 96, height: 96, "aria-hidden": "true" });
    const score = make("span", { className: "score" });
    const meter = make("span", { className: "meter", "aria-hidden": "true" });
    const age = make("span", { className: "age" });
    const stream = make("span", { className: "of quiet" });
    const name = make("span", { className: "who", textContent: `${label} ${track}` });
    const button = make("button", { type: "button", "aria-pressed": "false", "data-key": key, "data-track": track },
      thumbnail, name, stream, make("span", { className: "facts quiet" }, age, score), make("span", { className: "scale", "aria-hidden": "true" }, meter));
    button.style.setProperty("--track", css(trackColour(track)));
    this.#tie(button, key);
    return { element: make("li", {}, button), button, thumbnail, score, meter, age, stream, seen: 0, cut: -Infinity };
  }

  #tie(button, key) {
    button.addEventListener("pointerenter", () => this.highlight.hover(key));
    button.addEventListener("pointerleave", () => this.highlight.hover(null));
    button.addEventListener("focus", () => this.highlight.hover(key));
    button.addEventListener("blur", () => this.highlight.hover(null));
    button.addEventListener("click", () => this.highlight.pin(key));
  }

  #light() {
    for (const [key, { button }] of this.#rows) {
      button.classList.toggle("lit", key === this.highlight.lit);
      mark(button, "aria-pressed", key === this.highlight.pinned);
    }
  }

  /** Arrows go up and down the list. */
  #walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const buttons = [...this.#list.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    buttons[Math.max(0, Math.min(buttons.length - 1, at + step))]?.focus();
    event.preventDefault();
  }
}
