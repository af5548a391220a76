/** What a subscriber got and what not, and whose fault it was: one account a stream and kind. */
import type { Envelope } from "./decoding.js";
import type { Status, Totals } from "./status.js";
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
/** @import {Counts} from "./counter.js" */
/** @import {Envelope} from "./decoding.js" */
/** @import {Status, Totals} from "./status.js" */
/**
 * Messages of one stream and kind, since the subscriber began.
 *
 * `received` = `delivered` + `skipped` + `waiting`: given to the program, thrown away because the
 * program was slower, and neither yet. `passedOver`: not sent by the publisher, for want of credit.
 * `lost`: published but never received. `dropped`: frames that the pipeline did not publish, by
 * reason. `captured`: frames that the source took from the first received one to the last. For the
 * kind `meta`, which has a message for every published frame, at any time:
 * captured = received + passedOver + lost + Σ dropped. What only lost messages would have told comes
 * with the next message or status; what a publisher lost or dropped between its last message and its
 * death nobody tells.
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
/**
 * Where every captured frame went, in one line; it adds up for the kind `meta`. What was received and
 * then skipped, here, counts as skipped, like what was passed over.
 *
 * @param {Omit<KindStatistics, "stream" | "kind">} counts
 */
export declare function equation({ received, skipped, passedOver, lost, captured, dropped }: Omit<KindStatistics, "stream" | "kind">): string;
/** The books of one stream and kind. */
export declare class Account {
    #private;
    publisher: string;
    nextPseq: number;
    delivered: number;
    skipped: number;
    /**
     * A message came, and the publisher says how many he skipped in this session.
     *
     * @param {Envelope} envelope
     * @param {number} skipped
     * @param {number} session
     * @throws {import("./errors.js").WireError} when its counters are missing; the books are as
     *   before then
     */
    enter({ publisher, pseq, fields }: Envelope, skipped?: number, session?: number): void;
    /** A message that was entered turns out to be damaged inside: it counts as lost. */
    spoil(): void;
    /**
     * A status came in its turn: of the records before it, what is not here is lost, but what is
     * missing since a message of `session` was passed over. Only for records, and where a status
     * overtakes none of them.
     *
     * @param {string} publisher
     * @param {Status} status
     * @param {number | null} session
     */
    catchUp(publisher: string, { epoch, seq, messages, dropped }: Status, session?: number | null): void;
    /**
     * A status came, perhaps before its turn, and tells what was dropped before its epoch. The first
     * one of the first message's epoch, or a later one, will do.
     *
     * @param {string} publisher
     * @param {Status} status
     */
    orient(publisher: string, { epoch, dropped, totals }: Status): void;
    /**
     * The exact totals at the end: drops behind the last message of an epoch or of all.
     * @param {string} publisher
     * @param {Totals} totals
     */
    settle(publisher: string, totals: Totals): void;
    /**
     * The publisher has ended after so many messages: what did not come is lost, but what is missing
     * since a message of `session` was passed over.
     *
     * @param {string} publisher
     * @param {number} messages
     * @param {number | null} session
     */
    end(publisher: string, messages: number, session?: number | null): void;
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
