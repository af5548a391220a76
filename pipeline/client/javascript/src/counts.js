/** COCO's compressed run lengths: numbers in groups of five bits, the lowest first, a character
 * for each; from the fourth run on the difference to the run before the last. */

import { refused } from "./fields.js";

/** Thirty bits are more than a run can need in a picture that this protocol allows. */
const MOST_GROUPS = 6;
const FIRST_CHARACTER = 48;
const GROUP_BITS = 5;
const GROUP = 0x1f;
const SIGN = 0x10;
const MORE = 0x20;

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
export function decodeCounts(counts, pixels, where) {
  /** @type {number[]} */
  const runs = [];
  let total = 0;
  for (let at = 0; at < counts.length;) {
    const [difference, next] = readNumber(counts, at, where);
    const run = difference + (runs.length > 2 ? runs[runs.length - 2] : 0);
    at = next;
    total += run;
    if (run < 0 || total > pixels)
      throw misfit(where, pixels, `a run of ${run} px, ${total} px in all`);
    runs.push(run);
  }
  if (total === pixels) return runs;
  throw misfit(where, pixels, `${runs.length} runs of ${total} px in all`);
}

/**
 * The opposite of `decodeCounts`.
 *
 * @param {readonly number[]} runs
 * @returns {string}
 */
export function encodeCounts(runs) {
  return runs.map((run, i) => writeNumber(i > 2 ? run - runs[i - 2] : run)).join("");
}

/**
 * @param {string} counts
 * @param {number} start
 * @param {string} where
 * @returns {[number, number]} the number and where the next one starts
 */
function readNumber(counts, start, where) {
  let number = 0;
  for (let groups = 0; groups < MOST_GROUPS; groups++) {
    if (start + groups >= counts.length) {
      throw refused(where, "complete numbers", "one that is cut off");
    }
    const bits = counts.charCodeAt(start + groups) - FIRST_CHARACTER;
    if (bits < 0 || bits > 63) throw refused(where, "characters from '0' to 'o'", "others");
    number |= (bits & GROUP) << (GROUP_BITS * groups);
    if ((bits & MORE) === 0) {
      const negative = (bits & SIGN) !== 0;
      return [negative ? number - 2 ** (GROUP_BITS * (groups + 1)) : number, start + groups + 1];
    }
  }
  throw refused(where, "numbers of up to 30 bits", "a longer one");
}

/**
 * By division, because a run of a whole picture may have more than the 32 bits of a shift.
 * @param {number} number
 */
function writeNumber(number) {
  let text = "";
  for (let rest = number, more = true; more;) {
    const next = Math.floor(rest / (GROUP + 1));
    const bits = rest - next * (GROUP + 1);
    more = next !== ((bits & SIGN) === 0 ? 0 : -1);
    text += String.fromCharCode(FIRST_CHARACTER + bits + (more ? MORE : 0));
    rest = next;
  }
  return text;
}

/**
 * @param {string} where
 * @param {number} pixels
 * @param {string} got
 */
function misfit(where, pixels, got) {
  return refused(where, `runs of 0 or more px that fill ${pixels} px`, got);
}
