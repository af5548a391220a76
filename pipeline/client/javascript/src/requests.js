/** What is said on the delivery socket: docs/PROTOCOL.md, section 12. One small JSON object each. */

import { parseHeader } from "./decoding.js";
import { WireError } from "./errors.js";
import { refused, wrong } from "./fields.js";
import { FRAME_KINDS, VERSION } from "./topics.js";

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

export const MOST_CREDIT = 64;
const LARGEST_ANSWER_BYTES = 4_096;
const LARGEST_REQUEST_BYTES = 4_096;
const MOST_STREAMS_ASKED = 100;
const LONGEST_TEXT = 1_000;
const LONGEST_AFTER = { publisher: "x".repeat(64), number: Number.MAX_SAFE_INTEGER };

/** A request as its one part: ASCII in one line. @param {Request} request */
export function encodeRequest(request) {
  const text = JSON.stringify({ v: VERSION, ...request });
  return text.replace(/[^ -~]/g, (odd) => `\\u${odd.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * See that a publisher will understand a hello, also later, when it says how far we are.
 * @param {Hello} hello
 * @throws {RangeError} when not: he would cut the connection each time, or refuse it
 */
export function checkHello(hello) {
  const isLossless = hello.mode === "lossless";
  const longest = isLossless ? { ...hello, after: hello.after ?? LONGEST_AFTER } : hello;
  const part = Buffer.from(encodeRequest(longest));
  try {
    if (part.length > LARGEST_REQUEST_BYTES)
      throw refused("request", `up to ${LARGEST_REQUEST_BYTES} bytes`, `${part.length} bytes`);
    const fields = parseHeader(part);
    fields.texts("kinds", FRAME_KINDS.length);
    if (hello.streams !== null) fields.texts("streams", MOST_STREAMS_ASKED);
    if (!isLossless) return;
    fields.name("name");
    fields.inner("after").name("publisher");
    fields.inner("after").integer("number");
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new RangeError(`no publisher takes this request: ${error.message}`);
  }
}

/**
 * @param {Buffer} part
 * @returns {Answer}
 * @throws {import("./errors.js").WireError} when it is none of this protocol
 */
export function decodeAnswer(part) {
  if (part.length > LARGEST_ANSWER_BYTES) {
    throw refused("answer", `up to ${LARGEST_ANSWER_BYTES} bytes`, `${part.length} bytes`);
  }
  const fields = parseHeader(part);
  const kind = fields.text("kind");
  switch (kind) {
    case "welcome":
      return { kind, publisher: fields.name("publisher"), next: fields.integer("next") };
    case "message":
      if (!fields.has("number") || !fields.known("number"))
        return { kind, number: null, skipped: 0 };
      return { kind, number: fields.integer("number"), skipped: fields.integer("skipped") };
    case "end":
      return { kind, number: fields.integer("number") };
    case "pong":
      return { kind };
    case "error":
      return {
        kind,
        error: fields.name("error"),
        text: fields.text("text").slice(0, LONGEST_TEXT),
      };
    default:
      throw wrong("answer.kind", "welcome, message, end, pong or error", kind);
  }
}
