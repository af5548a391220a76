/** Between the sockets and the program that iterates: what waits, and what gives way. */

/** @import {Envelope} from "./decoding.js" */

/** @typedef {"latest" | "all" | "credit" | "lossless"} Mode */
/**
 * A received message whose envelope was opened and whose contents were not. When it was asked for,
 * it has a `number`, and `done` is called when the program has finished with it.
 * @typedef {{envelope: Envelope, parts: readonly Buffer[], number?: number, done?: () => void}} Letter
 */

/**
 * Messages for one reader. `latest`: one place per stream and kind, a newer message takes that of
 * an older. Otherwise up to `capacity` messages in their order, then the oldest gives way, which in
 * `credit` is one from before the last hello; in `lossless` no more come than were asked for.
 */
export class Mailbox {
  /** @type {Map<string | number, Letter>} */
  #waiting = new Map();
  /** @type {Set<() => void>} */
  #sleepers = new Set();
  /** @type {unknown} */
  #error = null;
  #over = false;
  #count = 0;
  #isLatest;
  #capacity;

  /**
   * @param {Mode} mode
   * @param {number} capacity
   */
  constructor(mode, capacity) {
    this.#isLatest = mode === "latest";
    this.#capacity = mode === "all" || mode === "credit" ? capacity : Infinity;
  }

  /**
   * Leave a message; what had to give way comes back.
   * @param {Letter} letter
   * @returns {Letter | null}
   */
  put(letter) {
    const { stream, kind } = letter.envelope;
    // In the older one's turn: a fast stream does not starve itself.
    const key = this.#isLatest ? `${stream}/${kind}` : this.#count++;
    const older = this.#waiting.get(key) ?? null;
    this.#waiting.set(key, letter);
    this.#wake();
    return this.#waiting.size > this.#capacity ? this.#first() : older;
  }

  /**
   * The message that waits longest; null when none came in time or at the end.
   * @param {number | null} timeoutMs
   * @returns {Promise<Letter | null>}
   * @throws what receiving ended with, once all is taken
   */
  async take(timeoutMs) {
    if (this.#waiting.size === 0 && !this.#over) await this.#sleep(timeoutMs);
    const letter = this.#first();
    if (letter === null && this.#error !== null) throw this.#error;
    return letter;
  }

  /** Nothing more will be put.
   * @param {unknown} error */
  finish(error = null) {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#wake();
  }

  /** If nothing will come and nothing waits, not even an error. */
  get finished() {
    return this.#over && this.#error === null && this.#waiting.size === 0;
  }

  #first() {
    for (const [key, letter] of this.#waiting) {
      this.#waiting.delete(key);
      return letter;
    }
    return null;
  }

  /**
   * @param {number | null} timeoutMs
   * @returns {Promise<void>}
   */
  #sleep(timeoutMs) {
    return new Promise((resolve) => {
      const timer = timeoutMs === null ? undefined : setTimeout(() => wake(), timeoutMs);
      const wake = () => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      this.#sleepers.add(wake);
    });
  }

  #wake() {
    for (const wake of this.#sleepers) wake();
  }
}
