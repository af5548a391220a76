/** What becomes of a subscriber's handshakes, so that a wrong key is an error and not silence. */

import { AccessError } from "./errors.js";

/** @import {Event, Socket} from "zeromq" */

/** Handshakes in a row that the publisher ends without a word, with keys and without: one when it
 * just stops, but each one when the server key is not its own, and most when it asks for keys. Once
 * one has succeeded we are known to be right: then a publisher is gone behind a tunnel, or has no
 * room, and is waited for. */
const MOST_UNEXPLAINED = 3;
const MOST_UNEXPLAINED_OPEN = 10;
const NOT_ALLOWED = "Give the publisher your .pub file, to put where its --allow says";
const WRONG_SERVER = "Take the .pub file of this publisher";
const SERVER_WANTED = "a publisher with the given server key";
const OPEN_WANTED = "a publisher that is open to all";
const KEYS_NEEDED = "Give keys, made by `run_stream.py keys new`, and its serverKey";

/**
 * Watch a socket, from before it connects until it is closed.
 *
 * @param {Socket} socket
 * @param {string} where the publisher's address
 * @param {boolean} locked whether we have keys
 * @param {(error: AccessError) => void} refuse told when the publisher will not let us in
 */
export async function watchHandshakes(socket, where, locked, refuse) {
  let unexplained = 0;
  let wasIn = false;
  for await (const event of socket.events) {
    if (event.type === "handshake") wasIn = true;
    if (event.type === "handshake:error:other" && !wasIn) unexplained++;
    const reason = reasonOf(event, locked, unexplained);
    if (reason !== null) refuse(new AccessError({ where: `subscriber to ${where}`, ...reason }));
  }
}

/**
 * Why we are not let in; null while we may be yet.
 *
 * @param {Event} event
 * @param {boolean} locked
 * @param {number} unexplained
 */
function reasonOf(event, locked, unexplained) {
  if (event.type === "handshake:error:auth") {
    const got = "a no: our key is not on its list";
    return { wanted: "to be allowed in", got, remedy: NOT_ALLOWED };
  }
  if (event.type === "handshake:error:protocol") {
    if (event.error.code === "ERR_ZMTP_MECHANISM_MISMATCH") return mismatch(locked);
    if (event.error.code !== "ERR_ZMTP_CRYPTOGRAPHIC") return null;
    const got = "one that has another: the server key is another's";
    return { wanted: SERVER_WANTED, got, remedy: WRONG_SERVER };
  }
  if (unexplained < (locked ? MOST_UNEXPLAINED : MOST_UNEXPLAINED_OPEN)) return null;
  const got = "a connection that it ends each time: ";
  const [ours, theirs] = ["the server key is another's", "it is one that asks for keys"];
  if (locked) return { wanted: SERVER_WANTED, got: got + ours, remedy: WRONG_SERVER };
  return { wanted: OPEN_WANTED, got: got + theirs, remedy: KEYS_NEEDED };
}

/** @param {boolean} locked */
function mismatch(locked) {
  if (locked) {
    const remedy = "Leave out the keys, or is it another publisher?";
    return { wanted: "a locked publisher", got: "one that has no keys", remedy };
  }
  return { wanted: OPEN_WANTED, got: "one that asks for keys", remedy: KEYS_NEEDED };
}
