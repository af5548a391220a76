/** The instances of a header, every size and index checked. */
import { Fields } from "./fields.js";
import { Mask } from "./masks.js";
import type { Size } from "./masks.js";
export type TrackState = "untracked" | "tentative" | "tracked";
export type Instance = {
    /**
     * id of its track, unique in (stream, epoch); null: not tracked
     */
    track: number | null;
    state: TrackState;
    /**
     * index into the model's classes
     */
    class: number;
    /**
     * the class's name
     */
    label: string | null;
    /**
     * 0 to 1
     */
    score: number;
    /**
     * x, y, width, height, px, of the source's picture
     */
    box: [number, number, number, number];
    mask: Mask;
};
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
export declare const MOST_INSTANCES = 10000;
export declare const LONGEST_SIDE_PX = 65535;
/**
 * The instances of a header; null when the frame was not segmented.
 *
 * @param {Fields} fields
 * @param {Size | null} picture
 * @returns {Instance[] | null}
 * @throws {import("./errors.js").WireError} for a missing or wrong field, or a mask that leaves the
 *   picture
 */
export declare function instancesOf(fields: Fields, picture: Size | null): Instance[] | null;
