/** Asks for what it has room for, on the delivery socket: modes `credit` and `lossless`. */
import { StreamError } from "./errors.js";
import type { Books } from "./books.js";
import type { Mailbox } from "./mailbox.js";
import type { Position } from "./requests.js";
import type { Wanted } from "./sockets.js";
export type Order = {
    mode: "credit" | "lossless";
    /**
     * messages that may be under way
     */
    credit: number;
    /**
     * of a lossless subscriber
     */
    name: string;
    /**
     * what a lossless subscriber has already
     */
    after: Position | null;
    untilEnd: boolean;
};
/** @import {Books} from "./books.js" */
/** @import {Mailbox} from "./mailbox.js" */
/** @import {Hello, Position} from "./requests.js" */
/** @import {Wanted} from "./sockets.js" */
/**
 * @typedef {object} Order
 * @property {"credit" | "lossless"} mode
 * @property {number} credit messages that may be under way
 * @property {string} name of a lossless subscriber
 * @property {Position | null} after what a lossless subscriber has already
 * @property {boolean} untilEnd
 */
/** Fills the mailbox as the program empties it, and keeps the books. */
export declare class Requester {
    #private;
    heardMs: number;
    /**
     * @param {Wanted} wanted
     * @param {Order} order
     * @param {Mailbox} mailbox
     * @param {Books} books
     * @param {(error: StreamError) => void} reject
     * @throws {RangeError} when no publisher would understand what is asked for
     * @throws {import("./errors.js").EndpointError} when an endpoint cannot be connected to
     */
    constructor(wanted: Wanted, order: Order, mailbox: Mailbox, books: Books, reject: (error: StreamError) => void);
    /** @param {unknown} [error] */
    close(error?: unknown): void;
}
