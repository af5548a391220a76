// Rate, age and drops of the streams that are shown.

import { Chart } from "./chart.js";
import { byId } from "./element.js";
import { count, milliseconds, rate } from "./words.js";

const SECONDS = 120;
const POINT_MS = 900; // one point a second, however many streams there are
const OLD_MS = 2500;
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
    const totals = added(rows.map(({ dropped }) => dropped));
    const reasons = Object.entries(totals).sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, MOST_REASONS);
    const series = reasons.map(([name, n], index) => ({ name, colour: REASONS[index], text: count(n) }));
    const all = Object.values(totals).reduce((sum, n) => sum + n, 0);
    this.#drops.update(series, points.map(({ second, drops }) => ({ second, values: drops })), all ? "frames/s, by reason" : "none so far");
  }

  /** One point a second, oldest first. */
  #points(shown) {
    const now = this.store.now();
    const recent = this.store.samples.filter(({ t, stream }) => now - t < SECONDS * 1000 && shown.includes(stream));
    const last = new Map(); // stream → its newest sample so far
    const points = [];
    let drops = [];
    let began = recent[0]?.t; // of the point that is being collected
    for (const [index, sample] of recent.entries()) {
      last.set(sample.stream, sample);
      drops.push(sample.drops);
      const following = recent[index + 1];
      if (following && following.t - began < POINT_MS) continue;
      points.push(together(sample.t, (now - sample.t) / 1000, [...last.values()], drops));
      drops = [];
      began = following?.t;
    }
    return points;
  }
}

/** What all streams measured last, at the time `t`; `drops`: since the point before. */
function together(t, second, samples, drops) {
  const fresh = samples.filter((sample) => t - sample.t < OLD_MS);
  const total = (which) => fresh.reduce((all, sample) => all + sample[which], 0);
  const highest = (which) => {
    const ages = fresh.map((sample) => sample[which]).filter((age) => age !== null);
    return ages.length ? Math.max(...ages) : null;
  };
  const values = { in: total("in"), out: total("out"), p50: highest("p50"), p95: highest("p95") };
  return { second, values, drops: added(drops) };
}

/** Counts by reason, summed. */
function added(counts) {
  const sums = Object.create(null); // reasons are called as the publisher likes
  for (const one of counts) for (const [reason, n] of Object.entries(one)) sums[reason] = (sums[reason] ?? 0) + n;
  return sums;
}

const sum = (rows, field) => rows.reduce((total, row) => total + (row.state === "running" ? row[field] : 0), 0);

function oldest(rows, which) {
  const ages = rows.filter(({ age, state }) => age && state === "running").map(({ age }) => age[which]);
  return ages.length ? milliseconds(Math.max(...ages)) : "–";
}
