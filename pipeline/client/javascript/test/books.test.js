/** Books are kept of what a publisher says, but not of streams without end. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Books } from "../src/books.js";
import { decodeHeader, openEnvelope } from "../src/decoding.js";
import { WireError } from "../src/errors.js";
import { MOST_STREAMS } from "../src/status.js";
import { bytesOf, read } from "./reading.js";

test("streams without end", () => {
  const [, header] = read("accepted.jsonl")
    .find(({ name }) => name === "golden meta")
    .parts.map(bytesOf);
  const fields = JSON.parse(header.toString());
  const books = new Books(null, ["meta"]);
  const enter = (/** @type {number} */ i) => {
    const line = JSON.stringify({ ...fields, stream: `cam-${i}` }).replace(/[^ -~]/g, "?");
    books.enter(openEnvelope([`v1/cam-${i}/meta/`, line].map((part) => Buffer.from(part))), "meta");
  };
  for (let i = 0; i < MOST_STREAMS; i++) enter(i);
  assert.throws(() => enter(MOST_STREAMS), WireError);
  enter(0);
  assert.equal(books.statistics().kinds.length, MOST_STREAMS);
});

test("looking for the end of many streams takes no time", () => {
  const [, header] = read("accepted.jsonl")
    .find(({ name }) => name === "golden status")
    .parts.map(bytesOf);
  const { status } = /** @type {import("../src/decoding.js").StatusMessage} */ (
    decodeHeader(header)
  );
  const streams = Array.from({ length: MOST_STREAMS }, (_, i) => `cam-${i}`);
  const books = new Books(null, ["annotated"]);
  const note = (/** @type {string} */ state) => {
    for (const stream of streams) {
      books.note({ ...status, stream, streams, state, messages: {} }, "run-0", 0);
    }
  };
  note("running");
  const since = performance.now();
  for (let look = 0; look < 20; look++) assert.equal(books.allOver(0), false);
  assert.ok(performance.now() - since < 2_000);
  note("ended");
  assert.equal(books.allOver(0), true);
});
