/** The instances of a header, every size and index checked. */

import { Fields, refused, wrong } from "./fields.js";
import { Mask } from "./masks.js";
import { MOST_CLASSES } from "./status.js";

/** @import {Size} from "./masks.js" */

/** @typedef {"untracked" | "tentative" | "tracked"} TrackState */
/**
 * @typedef {object} Instance
 * @property {number | null} track id of its track, unique in (stream, epoch); null: not tracked
 * @property {TrackState} state
 * @property {number} class index into the model's classes
 * @property {string | null} label the class's name
 * @property {number} score 0 to 1
 * @property {[number, number, number, number]} box x, y, width, height, px, of the source's picture
 * @property {Mask} mask
 */

export const MOST_INSTANCES = 10_000;
export const LONGEST_SIDE_PX = 65_535;
/** Pixels of all crops of one message: a bound on what it can cost to look at them. */
const MOST_MASK_PX = 2 ** 28;
/** @type {readonly TrackState[]} */
const STATES = ["untracked", "tentative", "tracked"];

/**
 * The instances of a header; null when the frame was not segmented.
 *
 * @param {Fields} fields
 * @param {Size | null} picture
 * @returns {Instance[] | null}
 * @throws {import("./errors.js").WireError} for a missing or wrong field, or a mask that leaves the
 *   picture
 */
export function instancesOf(fields, picture) {
  if (fields.take("instances") === null) return null;
  if (picture === null) throw wrong(fields.path("image"), "an object", null);
  const values = fields.items("instances", MOST_INSTANCES);
  const items = values.map((value, i) => new Fields(value, `header.instances[${i}]`));
  checkCost(items);
  return items.map((item) => instanceOf(item, picture));
}

/** @param {Fields[]} items */
function checkCost(items) {
  let pixels = 0;
  for (const item of items) {
    const [height, width] = item.inner("mask").pair("size", 0, LONGEST_SIDE_PX);
    pixels += height * width;
  }
  if (pixels <= MOST_MASK_PX) return;
  throw refused("header.instances", `masks of up to ${MOST_MASK_PX} px`, `${pixels} px`);
}

/**
 * @param {Fields} item
 * @param {Size} picture
 * @returns {Instance}
 */
function instanceOf(item, picture) {
  item.integer("area"); // derived from the mask, but a number it must be
  return {
    track: item.take("track") === null ? null : item.integer("track"),
    state: stateOf(item),
    class: item.integer("class", 0, MOST_CLASSES - 1),
    label: item.take("label") === null ? null : item.text("label"),
    score: item.number("score"),
    box: item.four("box"),
    mask: maskOf(item.inner("mask"), picture),
  };
}

/** @param {Fields} item */
function stateOf(item) {
  const text = item.text("state");
  const state = STATES.find((name) => name === text);
  if (state === undefined) throw wrong(item.path("state"), `one of ${STATES.join(", ")}`, text);
  return state;
}

/**
 * @param {Fields} mask
 * @param {Size} picture
 */
function maskOf(mask, picture) {
  const [x, y] = mask.pair("origin", 0, LONGEST_SIDE_PX);
  const [height, width] = mask.pair("size", 0, LONGEST_SIDE_PX);
  if (x + width > picture.width || y + height > picture.height) {
    const wanted = `a crop inside the ${picture.width}x${picture.height} px picture`;
    throw refused(mask.where, wanted, `${width}x${height} px at (${x}, ${y})`);
  }
  const rle = {
    size: /** @type {[number, number]} */ ([height, width]),
    counts: mask.text("counts"),
  };
  return new Mask(picture, [x, y], rle, mask.path("counts"));
}
