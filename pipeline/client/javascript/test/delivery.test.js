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
