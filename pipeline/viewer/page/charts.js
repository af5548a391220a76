// Rate, age and drops of the streams that are shown.

import { Chart } from "./chart.js";
import { byId } from "./element.js";
import { count, milliseconds, rate } from "./words.js";

const SECONDS = 120;
const REASONS = ["--drop-1", "--drop-2", "--drop-3", "--drop-4", "--drop-5"];
const MOST_REASONS = REASONS.length;

export class Charts {
  #rate = new Chart("Rate", { unit: (value) => String(value), least: 5 });
  #age = new Chart("Age", { unit: (value) => (value < 1000 ? `${value}` : `${value / 1000} s`), least: 20 });
  #drops = new Chart("Drops", { unit: (value) => String(Math.round(value * 10) / 10), least: 2, stacked: true });

  constructor(store) {
    this.store = store;
    byId("charts").append(this.#rate.element, this.#age.element, this.#drops.element);
  }

  /** Several streams: their rates and drops together, the age of the oldest. */
  update(shown) {
    const rows = shown.map((name) => this.store.streams.get(name)).filter(Boolean);
    const points = this.#points(shown);
    const several = rows.length > 1;
    this.#rate.update([
      { name: "in", colour: "--soft", text: rate(sum(rows, "in")) },
      { name: "out", colour: "--accent", text: rate(sum(rows, "out")) },
    ], points, several ? "frames/s, all streams" : "frames/s");
    this.#age.update([
      { name: "p50", colour: "--accent", text: oldest(rows, 0) },
      { name: "p95", colour: "--soft", text: oldest(rows, 1) },
    ], points, several ? "ms, the oldest stream" : "ms from capture to publishing");
    this.#showDrops(rows, points);
  }

  #showDrops(rows, points) {
    const totals = new Map();
    for (const row of rows) for (const [reason, n] of Object.entries(row.dropped)) totals.set(reason, (totals.get(reason) ?? 0) + n);
    const reasons = [...totals].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, MOST_REASONS);
    const series = reasons.map(([name, n], index) => ({ name, colour: REASONS[index], text: count(n) }));
    const all = [...totals.values()].reduce((sum, n) => sum + n, 0);
    this.#drops.update(series, points.map(({ second, drops }) => ({ second, values: drops })), all ? "frames/s, by reason" : "none so far");
  }

  /** One point for each second in which something was measured, oldest first. */
  #points(shown) {
    const now = this.store.now();
    const seconds = new Map();
    for (const sample of this.store.samples) {
      const back = (now - sample.t) / 1000;
      if (back > SECONDS || !shown.includes(sample.stream)) continue;
      const slot = Math.round(sample.t / 1000);
      seconds.set(slot, merged(seconds.get(slot), sample, back));
  }
    return [...seconds.values()].sort((a, b) => b.second - a.second);
  }
}

/** What several streams measured within one second. */
function merged(point, sample, second) {
  const before = point ?? { second, values: { in: 0, out: 0, p50: null, p95: null }, drops: {} };
  const { values, drops } = before;
  for (const [reason, n] of Object.entries(sample.drops)) drops[reason] = (drops[reason] ?? 0) + n;
  return {
    second: before.second,
    drops,
    values: {
      in: values.in + sample.in,
      out: values.out + sample.out,
      p50: larger(values.p50, sample.p50),
      p95: larger(values.p95, sample.p95),
    },
  };
}

const larger = (a, b) => (a === null ? b : b === null ? a : Math.max(a, b));
const sum = (rows, field) => rows.reduce((total, row) => total + (row.state === "running" ? row[field] : 0), 0);

function oldest(rows, which) {
  const ages = rows.filter(({ age, state }) => age && state === "running").map(({ age }) => age[which]);
  return ages.length ? milliseconds(Math.max(...ages)) : "–";
}
