/** What a subscriber got and what not, and whose fault it was: one account a stream and kind. */
import type { Envelope } from "./decoding.js";
export type KindStatistics = {
    stream: string;
    kind: import("./topics.js").FrameKind;
    received: number;
    delivered: number;
    skipped: number;
    waiting: number;
    passedOver: number;
    lost: number;
    captured: number;
    dropped: Record<string, number>;
};
/** @import {Envelope} from "./decoding.js" */
/**
 * Messages of one stream and kind, since the subscriber began.
 *
 * `received` = `delivered` + `skipped` + `waiting`: given to the program, thrown away because the
 * program was slower, and neither yet. `passedOver`: not sent by the publisher, for want of credit.
 * `lost`: published but never received. `dropped`: frames that the pipeline did not publish, by
 * reason. `captured`: frames that the source took from the first received one to the last. For the
 * kind `meta`: captured = received + passedOver + lost + Σ dropped. (Where a publisher dies, or
 * messages are lost just at a change of epoch, what only they would have told is missing.)
 *
 * @typedef {object} KindStatistics
 * @property {string} stream
 * @property {import("./topics.js").FrameKind} kind
 * @property {number} received
 * @property {number} delivered
 * @property {number} skipped
 * @property {number} waiting
 * @property {number} passedOver
 * @property {number} lost
 * @property {number} captured
 * @property {Record<string, number>} dropped
 */
/** The books of one stream and kind. */
export declare class Account {
    #private;
    publisher: string;
    nextPseq: number;
    delivered: number;
    skipped: number;
    /**
     * A message came. `skipped`: what the publisher says that it has passed over of this stream and
     * kind since the request number `session`.
     *
     * @param {Envelope} envelope
     * @throws {import("./errors.js").WireError} when its counters are missing; the books are as
     *   before then
     */
    enter({ publisher, pseq, fields }: Envelope, request?: {
        session: number;
        skipped: number;
    }): void;
    /**
     * The publisher has ended after so many messages: what did not come is lost.
     * @param {string} publisher
     * @param {number} messages
     */
    end(publisher: string, messages: number): void;
    statistics(): {
        received: number;
        delivered: number;
        skipped: number;
        waiting: number;
        passedOver: number;
        lost: number;
        captured: number;
        dropped: {
            [x: string]: number;
        };
    };
}
