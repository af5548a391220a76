/** What a publisher says of itself: a status each second, a welcome to each connection. */
import { Fields } from "./fields.js";
export declare const MOST_CLASSES = 65536;
export declare const MOST_STREAMS = 4096;
export type Model = {
    name: string;
    weights: string;
    classes: string[];
};
export type Totals = {
    captured: number;
    published: number;
    dropped: Record<string, number>;
};
export type Listener = {
    name: string;
    state: string;
    unacknowledged: number;
    lost: number;
};
export type Status = {
    stream: string;
    /**
     * waiting, running, stalled, reconnecting, failed, ended; more may come
     */
    state: string;
    /**
     * when this was said
     */
    utcNs: bigint;
    /**
     * of the last published frame, null before the first
     */
    epoch: number | null;
    /**
     * of the last published frame, null before the first
     */
    seq: number | null;
    reconnects: number;
    /**
     * captured and published frames a second
     */
    fps: {
        in: number;
        out: number;
    };
    /**
     * from capture to publishing; null: no frames
     */
    ageMs: {
        p50: number;
        p95: number;
    } | null;
    /**
     * of this epoch, by reason
     */
    dropped: Record<string, number>;
    totals: Totals;
    /**
     * published by kind: the next `pseq` of each
     */
    messages: Record<string, number>;
    /**
     * with all its class names
     */
    model: Model | null;
    /**
     * endpoint of the kinds annotated and image
     */
    pictures: string;
    /**
     * all streams of this publisher
     */
    streams: string[];
    /**
     * endpoint of the delivery socket, empty where there is none
     */
    delivery: string;
    /**
     * the subscribers for whom every message is kept
     */
    lossless: Listener[];
    /**
     * curve, local, insecure; more may come; empty where it is not said
     */
    security: string;
};
/** @typedef {{name: string, weights: string, classes: string[]}} Model */
/** Frames since the publisher began: captured = published + Σ dropped.
 * @typedef {{captured: number, published: number, dropped: Record<string, number>}} Totals */
/**
 * A lossless subscriber as its publisher sees it. `state`: expected, here, away, given_up, done.
 * @typedef {{name: string, state: string, unacknowledged: number, lost: number}} Listener
 */
/**
 * How one stream is doing.
 *
 * @typedef {object} Status
 * @property {string} stream
 * @property {string} state waiting, running, stalled, reconnecting, failed, ended; more may come
 * @property {bigint} utcNs when this was said
 * @property {number | null} epoch of the last published frame, null before the first
 * @property {number | null} seq of the last published frame, null before the first
 * @property {number} reconnects
 * @property {{in: number, out: number}} fps captured and published frames a second
 * @property {{p50: number, p95: number} | null} ageMs from capture to publishing; null: no frames
 * @property {Record<string, number>} dropped of this epoch, by reason
 * @property {Totals} totals
 * @property {Record<string, number>} messages published by kind: the next `pseq` of each
 * @property {Model | null} model with all its class names
 * @property {string} pictures endpoint of the kinds annotated and image
 * @property {string[]} streams all streams of this publisher
 * @property {string} delivery endpoint of the delivery socket, empty where there is none
 * @property {Listener[]} lossless the subscribers for whom every message is kept
 * @property {string} security curve, local, insecure; more may come; empty where it is not said
 */
/**
 * The status in a header whose envelope was checked.
 *
 * @param {Fields} fields
 * @param {string} stream
 * @returns {Status}
 * @throws {import("./errors.js").WireError} for a missing or wrong field
 */
export declare function statusOf(fields: Fields, stream: string): Status;
