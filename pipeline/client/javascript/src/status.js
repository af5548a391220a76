/** What a publisher says of itself: a status each second, a welcome to each connection. */

import { Fields } from "./fields.js";
import { checkStream } from "./topics.js";

export const MOST_CLASSES = 65_536;
export const MOST_STREAMS = 4_096;
const MOST_LISTENERS = 100;

/** @typedef {{name: string, weights: string, classes: string[]}} Model */
/** Frames since the publisher began: captured = published + Σ dropped.
 * @typedef {{captured: number, published: number, dropped: Record<string, number>}} Totals */
/**
 * A lossless subscriber as its publisher sees it. `state`: expected, here, away, given_up, done.
 * @typedef {{name: string, state: string, unacknowledged: number, lost: number}} Listener
 */

/**
 * How one stream is doing.
 *
 * @typedef {object} Status
 * @property {string} stream
 * @property {string} state waiting, running, stalled, reconnecting, failed, ended; more may come
 * @property {bigint} utcNs when this was said
 * @property {number | null} epoch of the last published frame, null before the first
 * @property {number | null} seq of the last published frame, null before the first
 * @property {number} reconnects
 * @property {{in: number, out: number}} fps captured and published frames a second
 * @property {{p50: number, p95: number} | null} ageMs from capture to publishing; null: no frames
 * @property {Record<string, number>} dropped of this epoch, by reason
 * @property {Totals} totals
 * @property {Record<string, number>} messages published by kind: the next `pseq` of each
 * @property {Model | null} model with all its class names
 * @property {string} pictures endpoint of the kinds annotated and image
 * @property {string[]} streams all streams of this publisher
 * @property {string} delivery endpoint of the delivery socket, empty where there is none
 * @property {Listener[]} lossless the subscribers for whom every message is kept
 * @property {string} security curve, local, insecure; more may come; empty where it is not said
 */

/**
 * The status in a header whose envelope was checked.
 *
 * @param {Fields} fields
 * @param {string} stream
 * @returns {Status}
 * @throws {import("./errors.js").WireError} for a missing or wrong field
 */
export function statusOf(fields, stream) {
  const fps = fields.inner("fps");
  return {
    stream,
    state: fields.name("state"),
    utcNs: fields.integer64("utc_ns"),
    epoch: fields.known("epoch") ? fields.integer("epoch") : null,
    seq: fields.known("seq") ? fields.integer("seq") : null,
    reconnects: fields.integer("reconnects"),
    fps: { in: fps.number("in"), out: fps.number("out") },
    ageMs: agesOf(fields),
    dropped: fields.counts("dropped"),
    totals: totalsOf(fields.inner("totals")),
    messages: fields.counts("messages"),
    model: modelOf(fields),
    pictures: fields.text("pictures"),
    streams: streamsOf(fields),
    delivery: fields.has("delivery") ? fields.text("delivery") : "",
    lossless: listenersOf(fields),
    security: fields.has("security") ? fields.name("security") : "",
  };
}

/** @param {Fields} fields */
function agesOf(fields) {
  if (!fields.known("age_ms")) return null;
  const ages = fields.inner("age_ms");
  return { p50: ages.number("p50"), p95: ages.number("p95") };
}

/** @param {Fields} totals @returns {Totals} */
function totalsOf(totals) {
  return {
    captured: totals.integer("captured"),
    published: totals.integer("published"),
    dropped: totals.counts("dropped"),
  };
}

/** @param {Fields} fields @returns {Model | null} */
function modelOf(fields) {
  if (!fields.known("model") && !fields.known("classes")) return null;
  const classes = fields.texts("classes", MOST_CLASSES);
  if (!fields.known("model")) return null;
  const model = fields.inner("model");
  return { name: model.text("name"), weights: model.text("weights"), classes };
}

/** @param {Fields} fields */
function streamsOf(fields) {
  const names = fields.texts("streams", MOST_STREAMS);
  names.forEach(checkStream);
  return names;
}

/** @param {Fields} fields @returns {Listener[]} */
function listenersOf(fields) {
  if (!fields.has("lossless")) return [];
  return fields.items("lossless", MOST_LISTENERS).map((item) => {
    const listener = new Fields(item, "header.lossless");
    return {
      name: listener.name("name"),
      state: listener.name("state"),
      unacknowledged: listener.integer("unacknowledged"),
      lost: listener.integer("lost"),
    };
  });
}
