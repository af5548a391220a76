// The table of streams: how each one is doing.

import { arrange, byId, make, mark, write } from "./element.js";
import { clock, count, milliseconds, rate, stateWord } from "./words.js";

const COLUMNS = ["state", "in", "out", "age", "dropped", "reconnects"];

export class StreamTable {
  #rows = new Map();

  constructor(store, open) {
    this.store = store;
    this.open = open;
  }

  update() {
    const rows = [...this.store.streams.values()];
    for (const name of this.#rows.keys()) if (!this.store.streams.has(name)) this.#rows.delete(name);
    arrange(byId("streams"), rows.map((row) => this.#show(row)));
  }

  #show(row) {
    if (!this.#rows.has(row.name)) this.#rows.set(row.name, this.#make(row.name));
    const { element, cells } = this.#rows.get(row.name);
    const dropped = Object.entries(row.dropped);
    const since = row.state === "running" || row.state === "waiting" ? "" : ` since ${clock(row.since)}`;
    const values = {
      state: stateWord(row.state) + since,
      in: rate(row.in),
      out: rate(row.out),
      age: row.age ? milliseconds(row.age[1]) : "–",
      dropped: count(dropped.reduce((sum, [, n]) => sum + n, 0)),
      reconnects: count(row.reconnects),
    };
    for (const [index, name] of COLUMNS.entries()) write(cells[index], values[name]);
    mark(cells[0], "data-state", row.state);
    mark(cells[4].parentElement, "title", dropped.map(([reason, n]) => `${reason} ${n}`).join(", "));
    return element;
  }

  #make(name) {
    const button = make("button", { type: "button", className: "plain", textContent: name, onclick: () => this.open(name) });
    const cells = COLUMNS.map((column) => make("span", { className: column === "state" ? "state" : "" }));
    const columns = cells.map((cell, index) => make("td", { className: index ? "number" : "" }, cell));
    return { element: make("tr", { "data-stream": name }, make("th", { scope: "row" }, button), ...columns), cells };
  }
}
