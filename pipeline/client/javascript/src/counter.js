/** Counts by reason: records of whole numbers, where what is missing is 0. */

import { MOST_NAMES } from "./fields.js";

/** @typedef {Record<string, number>} Counts */

/** What reasons are counted as for which there is no room. */
const OTHERS = "others";

/** What is more in `first` than in `second`.
 * @param {Counts} first
 * @param {Counts} second
 * @returns {Counts} */
export function minus(first, second) {
  const rest = Object.entries(first).map(([key, count]) => [key, count - of(second, key)]);
  return Object.fromEntries(rest.filter(([, count]) => Number(count) > 0));
}

/**
 * The sum. Who invents reasons without end shall not fill the memory with them.
 *
 * @param {Counts} first
 * @param {Counts} second
 * @returns {Counts}
 */
export function plus(first, second) {
  const sums = new Map(Object.entries(first));
  for (const [reason, count] of Object.entries(second)) {
    const key = sums.has(reason) || sums.size < MOST_NAMES ? reason : OTHERS;
    sums.set(key, count + (sums.get(key) ?? 0));
  }
  return Object.fromEntries(sums);
}

/** @param {Counts} counts */
export function total(counts) {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Not what every object has by that name.
 * @param {Counts} counts
 * @param {string} key */
function of(counts, key) {
  return Object.hasOwn(counts, key) ? counts[key] : 0;
}
