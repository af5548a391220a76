/** Names on the wire: the protocol's version, the kinds of message, and the topic of each. */
export type FrameKind = "meta" | "annotated" | "image";
export type Kind = FrameKind | "status";
/** @typedef {"meta" | "annotated" | "image"} FrameKind */
/** @typedef {FrameKind | "status"} Kind */
export declare const VERSION = 1;
/** @type {readonly FrameKind[]} */
export declare const FRAME_KINDS: readonly FrameKind[];
/** The kinds with a picture part, on a socket of their own.
 * @type {readonly FrameKind[]} */
export declare const PICTURES: readonly FrameKind[];
/** @type {readonly Kind[]} */
export declare const KINDS: readonly Kind[];
/** Starts the one-part message that a publisher sends to each new connection. */
export declare const WELCOME = "welcome/v1/";
/**
 * The topic of one kind of message of one stream. It ends with a slash because ZeroMQ matches
 * prefixes: without it, `v1/gate-1` would also bring `gate-10`.
 *
 * @param {string} stream
 * @param {Kind} kind
 * @throws {WireError} when `stream` cannot be part of a topic
 */
export declare function topic(stream: string, kind: Kind): string;
/**
 * Refuse a name that would break a topic.
 *
 * @param {string} stream
 * @throws {WireError} unless it is 1 to 255 bytes of printable characters without a slash
 */
export declare function checkStream(stream: string): void;
