/** What becomes of a subscriber's handshakes, so that a wrong key is an error and not silence. */
import { AccessError } from "./errors.js";
import type { Socket } from "zeromq";
/**
 * Watch a socket, from before it connects until it is closed.
 *
 * @param {Socket} socket
 * @param {string} where the publisher's address
 * @param {boolean} locked whether we have keys
 * @param {(error: AccessError) => void} refuse told when the publisher will not let us in
 */
export declare function watchHandshakes(socket: Socket, where: string, locked: boolean, refuse: (error: AccessError) => void): Promise<void>;
