/** All that a subscriber knows of a publisher: accounts, statuses, and whether it has ended. */
import type { KindStatistics } from "./accounts.js";
import type { Envelope } from "./decoding.js";
import type { Model, Status } from "./status.js";
import type { FrameKind } from "./topics.js";
export type Statistics = {
    kinds: KindStatistics[];
    rejected: number;
    restarts: number;
};
export declare class Books {
    #private;
    /**
     * @param {readonly string[] | null} streams
     * @param {readonly FrameKind[]} kinds
     */
    constructor(streams: readonly string[] | null, kinds: readonly FrameKind[]);
    /**
     * A frame's message came, and the publisher says how many he skipped in this session.
     *
     * @param {Envelope} envelope
     * @param {FrameKind} kind
     * @param {number} skipped
     * @param {number} session
     * @throws {import("./errors.js").WireError} when its counters are missing, or it is of one stream
     *   too many
     */
    enter(envelope: Envelope, kind: FrameKind, skipped?: number, session?: number): void;
    /**
     * A status came.
     * @param {Status} status
     * @param {string} publisher
     * @param {number} nowMs
     * @throws {import("./errors.js").WireError} when it is of one stream too many
     */
    note(status: Status, publisher: string, nowMs: number): void;
    /**
     * A status came behind all records that were sent before it: some of them may be lost.
     * @param {Status} status
     * @param {string} publisher
     */
    catchUp(status: Status, publisher: string): void;
    /** @param {Envelope} envelope */
    skipped({ stream, kind }: Envelope): void;
    /** @param {Envelope} envelope */
    delivered({ stream, kind }: Envelope): void;
    /** @param {Envelope} envelope */
    spoiled({ stream, kind }: Envelope): void;
    /** Count a message that is none of this protocol; all of them so far. */
    rejected(): number;
    /** The last status of each stream, from the publisher that is there now. */
    statuses(): Map<string, Status>;
    /**
     * `model` with all its class names, once a status has told them.
     * @param {string} stream
     * @param {Model} model
     */
    model(stream: string, model: Model): Model;
    /** @returns {Statistics} */
    statistics(): Statistics;
    /**
     * If every wanted stream has ended and its last messages are here, or lost for sure. Without
     * `nowMs`, for who can lose none, no message is held for lost.
     * @param {number | null} nowMs
     */
    allOver(nowMs: number | null): boolean;
    /**
     * The publisher has ended, and sends nothing more of what he was asked for. What is missing since
     * a message of `session` was passed over; other messages, or all, are lost.
     * @param {number | null} session
     */
    settle(session: number | null): void;
}
