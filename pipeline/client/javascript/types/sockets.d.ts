/** A subscriber's sockets: records at the endpoint that the user gave, pictures and delivery where
 * the publisher says they are. */
import { Dealer, Subscriber as Sub } from "zeromq";
import type { Endpoint } from "./endpoints.js";
import type { AccessError } from "./errors.js";
import type { Lock } from "./keys.js";
import type { FrameKind } from "./topics.js";
export type Wanted = {
    records: Endpoint;
    pictures: Endpoint | null;
    delivery: Endpoint | null;
    streams: readonly string[] | null;
    kinds: readonly FrameKind[];
    /**
     * the keys, where the publisher is locked
     */
    lock: Lock | null;
};
export type Refuse = (error: AccessError) => void;
export declare const HEARTBEAT_MS = 2000;
export declare const HEARTBEAT_TIMEOUT_MS = 6000;
/** How long the last words may take on their way when a socket is closed. */
export declare const LAST_WORDS_MS = 1000;
/** The two sockets that listen, connected and subscribed. */
export declare class Sockets {
    #private;
    records: Sub;
    pictures: Sub;
    /**
     * @param {Wanted} wanted
     * @param {Refuse} refuse
     * @throws {EndpointError} when an endpoint cannot be connected to
     */
    constructor(wanted: Wanted, refuse: Refuse);
    /**
     * Go where the pictures are said to be, and subscribe to those of new streams.
     *
     * @param {string} announced
     * @param {readonly string[]} streams
     * @throws {EndpointError} when that is no address
     */
    follow(announced: string, streams: readonly string[]): void;
    close(): void;
}
/**
 * A socket that hears welcomes and nothing else: where the publisher is, and whether it is new.
 * @param {Wanted} wanted
 * @param {Refuse} refuse
 * @throws {EndpointError} when the endpoint cannot be connected to
 */
export declare function openWelcomes(wanted: Wanted, refuse: Refuse): Sub;
/**
 * A socket that asks for what it wants, to be connected once it is watched.
 * @param {Wanted} wanted
 * @param {Endpoint} at
 */
export declare function openDealer(wanted: Wanted, at: Endpoint): Dealer;
/** Everything that is here already has been read when this is over: two rounds of the event loop,
 * because the first may have begun after the sockets were looked at. */
export declare function settled(): Promise<void>;
/**
 * Connect, now or as soon as somebody is there.
 * @param {Sub | Dealer} socket
 * @param {Endpoint} endpoint
 * @throws {EndpointError} when that is no address
 */
export declare function connect(socket: Sub | Dealer, endpoint: Endpoint): void;
