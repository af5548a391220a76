/** Empties the sockets at once, so that what a slow program sees is never old: a backlog would lie
 * in the kernel and in libzmq, out of reach. The mailbox decides what gives way. */
import { StreamError } from "./errors.js";
import type { Books } from "./books.js";
import type { Mailbox } from "./mailbox.js";
import type { Wanted } from "./sockets.js";
/** Reads what is published to everybody, into the mailbox and the books. */
export declare class Receiver {
    #private;
    heardMs: number;
    /**
     * @param {Wanted} wanted
     * @param {Mailbox} mailbox
     * @param {Books} books
     * @param {(error: StreamError) => void} reject
     * @param {boolean} untilEnd
     * @throws {import("./errors.js").EndpointError} when an endpoint cannot be connected to
     */
    constructor(wanted: Wanted, mailbox: Mailbox, books: Books, reject: (error: StreamError) => void, untilEnd: boolean);
    /** @param {unknown} [error] */
    close(error?: unknown): void;
}
