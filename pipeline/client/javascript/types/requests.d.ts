/** What is said on the delivery socket: docs/PROTOCOL.md, section 12. One small JSON object each. */
import type { FrameKind } from "./topics.js";
export type Position = {
    publisher: string;
    number: number;
};
export type Hello = {
    kind: "hello";
    mode: "credit" | "lossless";
    name?: string;
    streams: readonly string[] | null;
    kinds: readonly FrameKind[];
    credit: number;
    after?: Position | null;
};
export type Request = Hello | {
    kind: "ack";
    number: number;
} | {
    kind: "ping";
} | {
    kind: "bye";
};
export type Answer = {
    kind: "welcome";
    publisher: string;
    next: number;
} | {
    kind: "message";
    number: number | null;
    skipped: number;
} | {
    kind: "end";
    number: number;
} | {
    kind: "pong";
} | {
    kind: "error";
    error: string;
    text: string;
};
/** @import {FrameKind} from "./topics.js" */
/** A message of a subscription: the publisher's run, and the number that it gave to it.
 * @typedef {{publisher: string, number: number}} Position */
/**
 * What a subscriber wants. `name` and `after` belong to `lossless`.
 * @typedef {object} Hello
 * @property {"hello"} kind
 * @property {"credit" | "lossless"} mode
 * @property {string} [name]
 * @property {readonly string[] | null} streams
 * @property {readonly FrameKind[]} kinds
 * @property {number} credit
 * @property {Position | null} [after]
 */
/** @typedef {Hello | {kind: "ack", number: number} | {kind: "ping"} | {kind: "bye"}} Request */
/**
 * The first part of what a publisher sends. No `number` in a message: a status.
 * @typedef {{kind: "welcome", publisher: string, next: number}
 *   | {kind: "message", number: number | null, skipped: number}
 *   | {kind: "end", number: number}
 *   | {kind: "pong"}
 *   | {kind: "error", error: string, text: string}} Answer
 */
export declare const MOST_CREDIT = 64;
/** A request as its one part: ASCII in one line. @param {Request} request */
export declare function encodeRequest(request: Request): string;
/**
 * See that a publisher will understand a hello, also later, when it says how far we are.
 * @param {Hello} hello
 * @throws {RangeError} when not: he would cut the connection each time, or refuse it
 */
export declare function checkHello(hello: Hello): void;
/**
 * @param {Buffer} part
 * @returns {Answer}
 * @throws {import("./errors.js").WireError} when it is none of this protocol
 */
export declare function decodeAnswer(part: Buffer): Answer;
