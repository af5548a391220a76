/** What is said on the delivery socket: this client understands the publisher's half of it, and
 * says the subscriber's half as it should be. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as client from "maskstream-client";

import { decodeAnswer, encodeRequest } from "../src/requests.js";
import { bytesOf, read } from "./reading.js";

const NOT_SAID = { streams: null, name: "", after: null };

for (const { name, from, part, expect, error } of read("delivery.jsonl")) {
  if (from === "publisher" && expect) {
    test(`understands: ${name}`, () => {
      const answer = decodeAnswer(bytesOf(part));
      const isStatus = answer.kind === "message" && answer.number === null;
      assert.deepEqual(isStatus ? { kind: answer.kind } : answer, expect);
    });
  } else if (from === "publisher") {
    test(`refuses: ${name}`, () => {
      const Wanted = /** @type {any} */ ({ ...client })[error];
      assert.throws(() => decodeAnswer(bytesOf(part)), Wanted);
    });
  } else if (expect) {
    test(`says: ${name}`, () => {
      const said = encodeRequest(expect);
      assert.match(said, /^[ -~]+$/);
      const { v, ...fields } = JSON.parse(said);
      assert.equal(v, 1);
      assert.deepEqual({ ...(expect.kind === "hello" ? NOT_SAID : {}), ...fields }, expect);
    });
  }
}

for (const options of [
  { mode: "credit", streams: Array.from({ length: 101 }, (_, i) => `${i}`) },
  { mode: "credit", streams: Array.from({ length: 30 }, (_, i) => `${"x".repeat(200)}${i}`) },
  { mode: "credit", kinds: ["meta", "meta", "meta", "meta"] },
  { mode: "lossless", name: "x".repeat(65) },
  { mode: "lossless", name: "x", resumeAfter: { publisher: "", number: 1 } },
  { mode: "lossless", name: "x", resumeAfter: { publisher: "p", number: -1 } },
  { mode: "lossless", name: "x", resumeAfter: { publisher: "p", number: 1.5 } },
]) {
  test(`does not ask for what no publisher takes: ${JSON.stringify(options).slice(0, 90)}`, () => {
    const make = () => new client.Subscriber("tcp://127.0.0.1:9", /** @type {any} */ (options));
    assert.throws(make, RangeError);
  });
}
