/** One connection to a publisher's delivery socket: says hello, keeps itself alive, and says when
 * it is dead. */
import type { Endpoint } from "./endpoints.js";
import type { Hello, Request } from "./requests.js";
import type { Wanted } from "./sockets.js";
export declare class Connection {
    #private;
    address: string;
    /** If the last hello was answered. */
    greeted: boolean;
    /**
     * @param {Wanted} wanted
     * @param {Endpoint} at
     * @param {() => Hello} hello made anew each time that it is said
     * @param {(parts: Buffer[]) => void} hear
     * @param {(error?: unknown) => void} lost called when nothing was heard for too long, with an
     *   error when the socket broke
     * @throws {import("./errors.js").EndpointError} when the endpoint cannot be connected to
     */
    constructor(wanted: Wanted, at: Endpoint, hello: () => Hello, hear: (parts: Buffer[]) => void, lost: (error?: unknown) => void);
    /** If what is said now arrives, and means something there. */
    get isUp(): boolean;
    sayHello(): void;
    /**
     * Unless nobody is connected: it would be old by then. (ZMQ_IMMEDIATE does that too, but throws
     * away what came and was not read when a connection ends, such as the end.)
     * @param {Request} request
     */
    say(request: Request): void;
    /** At once, without what was not said yet. */
    drop(): void;
    /** After the last words. */
    close(): Promise<void>;
}
