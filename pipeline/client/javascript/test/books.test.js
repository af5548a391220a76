/** Books are kept of what a publisher says, but not of streams without end. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Books } from "../src/books.js";
import { openEnvelope } from "../src/decoding.js";
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
