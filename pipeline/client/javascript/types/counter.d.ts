/** Counts by reason: records of whole numbers, where what is missing is 0. */
export type Counts = Record<string, number>;
/** What is more in `first` than in `second`.
 * @param {Counts} first
 * @param {Counts} second
 * @returns {Counts} */
export declare function minus(first: Counts, second: Counts): Counts;
/**
 * The sum. Who invents reasons without end shall not fill the memory with them.
 *
 * @param {Counts} first
 * @param {Counts} second
 * @returns {Counts}
 */
export declare function plus(first: Counts, second: Counts): Counts;
/** @param {Counts} counts */
export declare function total(counts: Counts): number;
