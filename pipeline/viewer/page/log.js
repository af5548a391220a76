// What happened, newest first, in words.

import { arrange, byId, make } from "./element.js";
import { clock, eventWords } from "./words.js";

const MOST_LINES = 60;

export class EventLog {
  #list = byId("log");
  #lines = new Map();

  constructor(store) {
    this.store = store;
  }

  /** Show what happened to the streams `shown`, and to all. */
  update(shown) {
    const several = this.store.streams.size > 1;
    const events = this.store.events.filter(({ stream }) => stream === null || shown.includes(stream));
    const newest = events.slice(-MOST_LINES).reverse();
    const kept = new Set(newest);
    for (const event of this.#lines.keys()) if (!kept.has(event)) this.#lines.delete(event);
    arrange(this.#list, newest.map((event) => this.#line(event, several)));
  }

  #line(event, several) {
    let line = this.#lines.get(event);
    if (!line) {
      const time = make("time", { textContent: clock(event.t), dateTime: new Date(event.t).toISOString() });
      line = make("li", { "data-what": event.what }, time, make("span", { textContent: eventWords(event) }));
      if (several && event.stream) line.append(make("span", { className: "quiet", textContent: event.stream }));
      this.#lines.set(event, line);
    }
    return line;
  }
}
