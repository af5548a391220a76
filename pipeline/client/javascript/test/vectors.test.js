/** What a client must understand and refuse: the vectors of tests/data/wire, all of them. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import * as client from "maskstream-client";

import { bytesOf, read } from "./reading.js";

const WELCOME = "welcome/v1/";

/** @param {{parts: import("./reading.js").Part[]}} vector */
function partsOf({ parts }) {
  return parts.map(bytesOf);
}

/** What this client makes of a message, in the words of the vectors.
 * @param {Buffer[]} parts */
function understand(parts) {
  if (parts[0]?.toString("latin1").startsWith(WELCOME)) {
    return { kind: "welcome", ...client.decodeWelcome(parts[0]) };
  }
  const message = client.decode(parts);
  const { kind, publisher, stream, pseq } = message;
  const start = { kind, publisher, stream, pseq };
  return { ...start, ...(message.kind === "status" ? told(message.status) : seen(message)) };
}

/** @param {client.Status} status */
function told({ utcNs, ageMs, model, stream: _, ...same }) {
  return {
    ...same,
    utc_ns: String(utcNs),
    age_ms: ageMs,
    model: model && [model.name, model.weights, model.classes],
  };
}

/** @param {client.FrameMessage} message */
function seen({ epoch, seq, dropped, ended, time, model, instances, picture }) {
  const size = picture && { width: picture.width, height: picture.height };
  return {
    epoch,
    seq,
    dropped,
    ended,
    pts: time.pts === null ? null : String(time.pts),
    time_base: time.timeBase,
    captured_utc_ns: String(time.capturedUtcNs),
    clock: time.clock,
    stages_ms: time.stagesMs,
    model: model && [model.name, model.weights],
    instances: instances && instances.map((each) => ({ ...each, mask: outlined(each.mask) })),
    ...(picture && { picture: { ...size, bytes: picture.data.length } }),
  };
}

/** @param {client.Mask} mask */
function outlined(mask) {
  const { width, height } = mask.picture;
  const dense = mask.dense();
  return {
    size: [height, width],
    pixels: mask.area,
    box: tightBox(dense, width),
    sha256: createHash("sha256").update(dense).digest("hex"),
    counts: mask.toCoco().counts,
    polygons: mask.polygons().map(({ outer, holes }) => [outer, ...holes]),
  };
}

/**
 * @param {Uint8Array} dense
 * @param {number} width
 */
function tightBox(dense, width) {
  let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
  dense.forEach((bit, index) => {
    if (bit === 0) return;
    const [x, y] = [index % width, Math.floor(index / width)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  });
  return right < 0 ? [0, 0, 0, 0] : [left, top, right - left + 1, bottom - top + 1];
}

/** Scores and boxes were through 32-bit floats where the expectations were written.
 * @param {any} message */
function rounded(message) {
  const instances = message.instances?.map((/** @type {any} */ each) => ({
    ...each,
    score: Math.fround(each.score).toPrecision(6),
    box: each.box.map((/** @type {number} */ side) => Math.fround(side).toFixed(2)),
  }));
  return instances ? { ...message, instances } : message;
}

for (const vector of read("accepted.jsonl")) {
  test(`understands: ${vector.name}`, () => {
    const found = /** @type {any} */ (rounded(understand(partsOf(vector))));
    const expect = rounded(vector.expect);
    const names = Object.keys(expect); // fields may be added to the protocol
    assert.deepEqual(Object.fromEntries(names.map((name) => [name, found[name]])), expect);
  });
}

for (const vector of read("refused.jsonl")) {
  test(`refuses: ${vector.name}`, () => {
    const Wanted = /** @type {any} */ ({ ...client })[vector.error];
    assert.throws(
      () => understand(partsOf(vector)),
      (error) => {
        assert.ok(error instanceof client.WireError && error instanceof Wanted);
        assert.match(error.message, /^[^\p{C}]{1,600}$/u);
        return true;
      },
    );
  });
}
