/** Counts by reason: records of whole numbers, where what is missing is 0. */

/** @typedef {Record<string, number>} Counts */

/** What is more in `first` than in `second`.
 * @param {Counts} first
 * @param {Counts} second
 * @returns {Counts} */
export function minus(first, second) {
  const rest = Object.entries(first).map(([key, count]) => [key, count - of(second, key)]);
  return Object.fromEntries(rest.filter(([, count]) => Number(count) > 0));
}

/**
 * @param {Counts} first
 * @param {Counts} second
 * @returns {Counts}
 */
export function plus(first, second) {
  const sums = Object.entries(second).map(([key, count]) => [key, count + of(first, key)]);
  return { ...first, ...Object.fromEntries(sums) };
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
