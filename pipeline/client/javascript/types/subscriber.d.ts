/** Subscriber: connect, filter, iterate messages, see gaps. */
import { StreamError } from "./errors.js";
import type { FrameMessage } from "./decoding.js";
import type { KeyPair } from "./keys.js";
import type { Mode } from "./mailbox.js";
import type { Position } from "./requests.js";
import type { FrameKind } from "./topics.js";
export type SubscriberOptions = {
    /**
     * names; all by default
     */
    streams?: readonly string[] | null;
    /**
     * meta by default
     */
    kinds?: readonly FrameKind[];
    /**
     * `latest` (live: of each stream and kind the newest, older ones are
     * skipped and counted) or `all` (in order, up to `waiting` messages, then the oldest are skipped
     * and counted), and, asked for on the delivery socket, `credit` (live: the publisher sends the
     * newest when there is room for it) or `lossless` (every message, once)
     */
    mode?: Mode;
    /**
     * 256 by default
     */
    waiting?: number;
    /**
     * messages that may be under way in the modes `credit` (1 by default)
     * and `lossless` (16)
     */
    credit?: number;
    /**
     * of a `lossless` subscriber: one of the publisher's `publish.lossless`
     */
    name?: string;
    /**
     * the `position` of the last message whose result a
     * `lossless` subscriber has written down, in the life before this one
     */
    resumeAfter?: Position | null;
    /**
     * stop when the publisher says that all wanted streams have ended;
     * true by default. A publisher that vanishes says nothing and is waited for
     */
    untilEnd?: boolean;
    /**
     * longest silence, not even a status, that iterating puts up
     * with; for ever by default
     */
    timeoutMs?: number | null;
    /**
     * their endpoint, when the announced one cannot be reached
     * from here (a tunnel)
     */
    pictures?: string | null;
    /**
     * the same, of the delivery socket
     */
    delivery?: string | null;
    /**
     * for a locked publisher: the path of a .key file
     */
    keys?: string | KeyPair | null;
    /**
     * and its public key, or the path of its .pub file
     */
    serverKey?: string | null;
    /**
     * told of each message that
     * was none of this protocol
     */
    onRejected?: (error: StreamError, count: number) => void;
};
/**
 * The frames of a publisher, one for each message, for one loop to iterate:
 *
 *     for await (const message of new Subscriber("tcp://127.0.0.1:5555")) console.log(message.seq);
 *
 * It receives from construction on. Leaving the loop closes it; `take` does not.
 */
export declare class Subscriber {
    #private;
    /**
     * @param {string} endpoint
     * @param {SubscriberOptions} options
     * @throws {EndpointError} when an endpoint is none
     * @throws {WireError} when a stream's name is none
     * @throws {import("./errors.js").AccessError} for keys that cannot be used; iterating throws it when the publisher will
     *   not let us in, or not any more
     * @throws {RangeError} for an unknown mode or kind, or an option that does not go with the mode
     */
    constructor(endpoint: string, options?: SubscriberOptions);
    /**
     * Messages until the end or `close`.
     *
     * @returns {AsyncGenerator<FrameMessage, void, void>}
     * @throws {EndpointError} when the publisher was silent for `timeoutMs`
     */
    [Symbol.asyncIterator](): AsyncGenerator<FrameMessage, void, void>;
    /**
     * The next message; null when none came in time or none will come. In the modes `credit` and
     * `lossless` this acknowledges the one before.
     * @param {number | null} [timeoutMs]
     * @returns {Promise<FrameMessage | null>}
     */
    take(timeoutMs?: number | null): Promise<FrameMessage | null>;
    /** Say that the program is done with the message that it took last: in the modes `credit` and
     * `lossless` there is room for another. */
    ack(): void;
    /** If nothing will come any more. */
    get ended(): boolean;
    /** The last status of each wanted stream, by name. */
    statuses(): Map<string, import("./status.js").Status>;
    /** What was received, skipped, lost and dropped so far. */
    statistics(): import("./books.js").Statistics;
    /** Stop receiving; iterating ends after what is already here. May be called twice. */
    close(): void;
}
