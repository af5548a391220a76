/** Counts have names that a stranger chose. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { minus, plus, total } from "../src/counter.js";

test("reasons are called as the publisher likes", () => {
  const names = ["constructor", "toString", "__proto__", "stale"];
  const counts = Object.fromEntries(names.map((name) => [name, 2]));
  assert.equal(total(minus(counts, {})), 8);
  assert.equal(total(plus({}, counts)), 8);
  assert.deepEqual(Object.keys(plus(counts, counts)).sort(), [...names].sort());
  assert.equal(total(minus(plus(counts, counts), counts)), 8);
});

test("reasons without end are counted as others", () => {
  let counts = {};
  for (let i = 0; i < 1000; i++) counts = plus(counts, { [`reason-${i}`]: 1, stale: 1 });
  assert.equal(total(counts), 2000);
  assert.equal(Object.keys(counts).length, 101);
  assert.equal(Reflect.get(counts, "stale"), 1000);
});
