// The one track that stands out: under the pointer, with the focus, or kept by a click.

import { Signal } from "./signal.js";

export class Highlight {
  changed = new Signal(null);
  #hovered = null;
  #pinned = null;

  /** The key of the track that stands out, or null. */
  get lit() {
    return this.#hovered ?? this.#pinned;
  }

  get pinned() {
    return this.#pinned;
  }

  /** The pointer or the focus is on this track; null: on none. */
  hover(key) {
    this.#become(key, this.#pinned);
  }

  /** Keep this track, or let it go when it is the one that is kept. */
  pin(key) {
    this.#become(this.#hovered, key === this.#pinned ? null : key);
  }

  #become(hovered, pinned) {
    if (hovered === this.#hovered && pinned === this.#pinned) return;
    this.#hovered = hovered;
    this.#pinned = pinned;
    this.changed.set(this.lit);
  }
}
