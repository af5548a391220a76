/** Bytes as a message, strictly: whatever comes from a socket either is one or throws WireError.
 * Fields and parts that this version does not know are ignored. Sizes are bounded before anything
 * is allocated, so that a short message cannot ask for much memory. */

import { Truncated, UnsupportedVersion } from "./errors.js";
import { Fields, REMEDY, refused, shown, wrong } from "./fields.js";
import { frameOf } from "./frames.js";
import { parseJson } from "./json.js";
import { statusOf } from "./status.js";
import { KINDS, PICTURES, VERSION, WELCOME, checkStream, topic } from "./topics.js";

/** @import {FrameFields} from "./frames.js" */
/** @import {Status} from "./status.js" */
/** @import {FrameKind, Kind} from "./topics.js" */

/**
 * What every header has: enough to route a message and to account for it.
 * @typedef {{kind: Kind, publisher: string, stream: string, pseq: number, fields: Fields}} Envelope
 */
/**
 * One frame of one stream.
 *
 * @typedef {{kind: FrameKind, publisher: string, stream: string, pseq: number, header: Buffer}
 *   & FrameFields} FrameMessage
 * `publisher`: a new UUID for each run of it. `pseq`: number of the message of this publisher, stream
 * and kind. `header`: as it came, with the fields that this version does not know.
 */
/**
 * @typedef {object} StatusMessage
 * @property {"status"} kind
 * @property {string} publisher
 * @property {string} stream
 * @property {number} pseq
 * @property {Buffer} header
 * @property {Status} status
 */
/** @typedef {FrameMessage | StatusMessage} Message */
/** The endpoints are empty where there is no such socket.
 * @typedef {{publisher: string, pictures: string, delivery: string}} Welcome */

const LARGEST_HEADER_BYTES = 16 * 2 ** 20;

/**
 * A message from its parts: topic, header and, for pictures, the JPEG file.
 *
 * @param {readonly Buffer[]} parts
 * @returns {Message}
 * @throws {UnsupportedVersion} for a header of another protocol version
 * @throws {Truncated} when a part or a field is missing
 * @throws {import("./errors.js").WireError} for anything else that is no message of this protocol
 */
export function decode(parts) {
  return unpack(openEnvelope(parts), parts);
}

/**
 * A message from its header alone, such as a line of a recording. Pictures stay empty.
 *
 * @param {Buffer} header
 * @returns {Message}
 * @throws {import("./errors.js").WireError} as `decode`
 */
export function decodeHeader(header) {
  return messageOf(envelopeOf(header), header, null);
}

/**
 * Check a message's outside: parts, version, kind, stream, and that topic and header agree.
 *
 * @param {readonly Buffer[]} parts
 * @returns {Envelope}
 */
export function openEnvelope(parts) {
  if (parts.length < 2) throw missing(`message of ${parts.length} parts`, "a topic and a header");
  const envelope = envelopeOf(parts[1]);
  const named = topic(envelope.stream, envelope.kind);
  if (!parts[0].equals(Buffer.from(named))) {
    throw wrong("topic", `the topic ${shown(named)}`, parts[0].toString("latin1"));
  }
  if (isPicture(envelope.kind) && parts.length < 3) {
    throw missing(`message of kind ${envelope.kind}`, "a picture as the third part");
  }
  return envelope;
}

/**
 * The rest of a message whose envelope was opened.
 *
 * @param {Envelope} envelope
 * @param {readonly Buffer[]} parts
 * @returns {Message}
 */
export function unpack(envelope, parts) {
  const jpeg = isPicture(envelope.kind) ? parts[2] : null;
  if (jpeg !== null && !(jpeg[0] === 0xff && jpeg[1] === 0xd8)) {
    throw refused("picture", "a JPEG file", `${jpeg.length} bytes that are none`);
  }
  return messageOf(envelope, parts[1], jpeg);
}

/**
 * A publisher's welcome.
 *
 * @param {Buffer} part
 * @returns {Welcome}
 */
export function decodeWelcome(part) {
  if (!isWelcome(part)) {
    throw wrong("welcome", `a part that begins with ${WELCOME}`, part.toString("latin1"));
  }
  const fields = parseHeader(part.subarray(WELCOME.length));
  const kind = fields.text("kind");
  if (kind !== "welcome") throw wrong("header.kind", "welcome", kind);
  const delivery = fields.has("delivery") ? fields.text("delivery") : "";
  return { publisher: fields.name("publisher"), pictures: fields.text("pictures"), delivery };
}

/** @param {Buffer} part */
export function isWelcome(part) {
  return part.subarray(0, WELCOME.length).equals(Buffer.from(WELCOME));
}

/**
 * A JSON object of this protocol's version.
 * @param {Buffer} header
 */
export function parseHeader(header) {
  const fields = new Fields(parseLine(header), "header");
  const version = fields.take("v");
  if (version === VERSION) return fields;
  throw new UnsupportedVersion({
    where: "header",
    wanted: `protocol version ${VERSION}`,
    got: shown(version),
    remedy: "Install the client that belongs to the publisher.",
  });
}

/** @param {Buffer} header */
function parseLine(header) {
  if (header.length > LARGEST_HEADER_BYTES) {
    throw refused("header", `up to ${LARGEST_HEADER_BYTES} bytes`, `${header.length} bytes`);
  }
  const text = header.toString("latin1"); // a character a byte, also what is not ASCII
  try {
    if (/[^\x00-\x7f]/.test(text)) throw new SyntaxError("it has other bytes");
    if (/[\n\r]/.test(text)) throw new SyntaxError("it has several lines");
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const got = `${header.length} bytes that are none: ${error.message}`;
    throw refused("header", "JSON in one line of ASCII", got);
  }
}

/** @param {Buffer} header @returns {Envelope} */
function envelopeOf(header) {
  const fields = parseHeader(header);
  const text = fields.text("kind");
  const kind = KINDS.find((name) => name === text);
  if (kind === undefined) throw wrong("header.kind", `one of ${KINDS.join(", ")}`, text);
  const stream = fields.text("stream");
  checkStream(stream);
  const publisher = fields.name("publisher");
  return { kind, publisher, stream, pseq: fields.integer("pseq"), fields };
}

/**
 * @param {Envelope} envelope
 * @param {Buffer} header
 * @param {Buffer | null} jpeg
 * @returns {Message}
 */
function messageOf({ kind, publisher, stream, pseq, fields }, header, jpeg) {
  if (kind === "status") {
    return { kind, publisher, stream, pseq, header, status: statusOf(fields, stream) };
  }
  return { kind, publisher, stream, pseq, header, ...frameOf(fields, jpeg) };
}

/** @param {Kind} kind @returns {kind is "annotated" | "image"} */
function isPicture(kind) {
  return /** @type {readonly Kind[]} */ (PICTURES).includes(kind);
}

/**
 * @param {string} where
 * @param {string} wanted
 */
function missing(where, wanted) {
  return new Truncated({ where, wanted, got: "fewer", remedy: REMEDY });
}
