/** COCO's compressed run lengths: numbers in groups of five bits, the lowest first, a character
 * for each; from the fourth run on the difference to the run before the last. */
/**
 * Run lengths of `pixels` px in all, alternately outside and inside, first outside. Nothing of the
 * mask's size is allocated.
 *
 * @param {string} counts
 * @param {number} pixels
 * @param {string} where
 * @returns {number[]}
 * @throws {import("./errors.js").WireError} unless they are well formed and fill the mask exactly
 */
export declare function decodeCounts(counts: string, pixels: number, where: string): number[];
/**
 * The opposite of `decodeCounts`.
 *
 * @param {readonly number[]} runs
 * @returns {string}
 */
export declare function encodeCounts(runs: readonly number[]): string;
