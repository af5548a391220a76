/** Names on the wire: the protocol's version, the kinds of message, and the topic of each. */

import { WireError } from "./errors.js";
import { isPrintable, shown } from "./fields.js";

/** @typedef {"meta" | "annotated" | "image"} FrameKind */
/** @typedef {FrameKind | "status"} Kind */

export const VERSION = 1;
/** @type {readonly FrameKind[]} */
export const FRAME_KINDS = ["meta", "annotated", "image"];
/** The kinds with a picture part, on a socket of their own.
 * @type {readonly FrameKind[]} */
export const PICTURES = ["annotated", "image"];
/** @type {readonly Kind[]} */
export const KINDS = [...FRAME_KINDS, "status"];
/** Starts the one-part message that a publisher sends to each new connection. */
export const WELCOME = "welcome/v1/";

const LONGEST_NAME_BYTES = 255;

/**
 * The topic of one kind of message of one stream. It ends with a slash because ZeroMQ matches
 * prefixes: without it, `v1/gate-1` would also bring `gate-10`.
 *
 * @param {string} stream
 * @param {Kind} kind
 * @throws {WireError} when `stream` cannot be part of a topic
 */
export function topic(stream, kind) {
  checkStream(stream);
  return `v${VERSION}/${stream}/${kind}/`;
}

/**
 * Refuse a name that would break a topic.
 *
 * @param {string} stream
 * @throws {WireError} unless it is 1 to 255 bytes of printable characters without a slash
 */
export function checkStream(stream) {
  const fits = stream !== "" && isPrintable(stream) && !stream.includes("/");
  if (fits && Buffer.byteLength(stream) <= LONGEST_NAME_BYTES) return;
  throw new WireError({
    where: "stream name",
    wanted: "1 to 255 bytes of printable characters, no slash",
    got: shown(stream),
    remedy: "Take a name from the status's list of streams.",
  });
}
