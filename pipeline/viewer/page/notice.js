// The line that says when nothing can be trusted any more, and since when.

import { byId, mark, write } from "./element.js";
import { clock, complaint, span } from "./words.js";

export class Notice {
  #said = new Map();

  constructor(store, link) {
    this.store = store;
    this.link = link;
  }

  /** Once a quarter of a second, also while there is no server. */
  update() {
    const text = this.#trouble();
    byId("notice").hidden = !text;
    write(byId("notice"), text);
    this.#announce();
    const [state, word] = this.#word();
    mark(byId("link"), "data-state", state);
    write(byId("link"), word);
    write(byId("endpoint"), this.store.endpoint);
    document.body.classList.toggle("cut-off", this.link.state.value.is !== "open");
  }

  #trouble() {
    const { is, why, since } = this.link.state.value;
    if (is === "lost" && why) return `The viewer has no room: ${why}. Trying again.`;
    if (is === "lost") return `No connection to the viewer since ${clock(since)} (${span(Date.now() - since)}). What you see is old. Trying again.`;
    if (is !== "open") return "";
    const { state, since: heard } = this.store.publisher;
    if (state === "never") return `Nothing was heard from ${this.store.endpoint} yet. Waiting for a run to publish there.`;
    if (state !== "gone") return "";
    return `The publisher has been gone since ${clock(heard)} (${span(this.store.now() - heard)}). Waiting for it to come back.`;
  }

  #word() {
    const { is } = this.link.state.value;
    if (is !== "open") return [is === "connecting" ? "waiting" : "gone", is === "refused" ? "locked" : is];
    const { state } = this.store.publisher;
    return { live: ["running", "live"], gone: ["gone", "gone"], ended: ["ended", "ended"], never: ["waiting", "waiting"] }[state];
  }

  /** Tell a screen reader of changes, once each and without the running seconds. */
  #announce() {
    for (const row of this.store.streams.values()) {
      const before = this.#said.get(row.name);
      this.#said.set(row.name, row.state);
      if (before === undefined || before === row.state) continue;
      const words = complaint(row, row.since).replace(/ \(.*\)$/, "");
      write(byId("announce"), `${row.name}: ${words || "pictures flow"}`);
    }
  }
}
