/** Bytes as a message, strictly: whatever comes from a socket either is one or throws WireError.
 * Fields and parts that this version does not know are ignored. Sizes are bounded before anything
 * is allocated, so that a short message cannot ask for much memory. */
import { Fields } from "./fields.js";
import type { FrameFields } from "./frames.js";
import type { Status } from "./status.js";
import type { FrameKind, Kind } from "./topics.js";
export type Envelope = {
    kind: Kind;
    publisher: string;
    stream: string;
    pseq: number;
    fields: Fields;
};
export type FrameMessage = {
    kind: FrameKind;
    publisher: string;
    stream: string;
    pseq: number;
    header: Buffer;
} & FrameFields;
export type StatusMessage = {
    kind: "status";
    publisher: string;
    stream: string;
    pseq: number;
    header: Buffer;
    status: Status;
};
export type Message = FrameMessage | StatusMessage;
export type Welcome = {
    publisher: string;
    pictures: string;
    delivery: string;
};
/**
 * A message from its parts: topic, header and, for pictures, the JPEG file.
 *
 * @param {readonly Buffer[]} parts
 * @returns {Message}
 * @throws {UnsupportedVersion} for a header of another protocol version
 * @throws {Truncated} when a part or a field is missing
 * @throws {import("./errors.js").WireError} for anything else that is no message of this protocol
 */
export declare function decode(parts: readonly Buffer[]): Message;
/**
 * A message from its header alone, such as a line of a recording. Pictures stay empty.
 *
 * @param {Buffer} header
 * @returns {Message}
 * @throws {import("./errors.js").WireError} as `decode`
 */
export declare function decodeHeader(header: Buffer): Message;
/**
 * Check a message's outside: parts, version, kind, stream, and that topic and header agree.
 *
 * @param {readonly Buffer[]} parts
 * @returns {Envelope}
 */
export declare function openEnvelope(parts: readonly Buffer[]): Envelope;
/**
 * The rest of a message whose envelope was opened.
 *
 * @param {Envelope} envelope
 * @param {readonly Buffer[]} parts
 * @returns {Message}
 */
export declare function unpack(envelope: Envelope, parts: readonly Buffer[]): Message;
/**
 * A publisher's welcome.
 *
 * @param {Buffer} part
 * @returns {Welcome}
 */
export declare function decodeWelcome(part: Buffer): Welcome;
/** @param {Buffer} part */
export declare function isWelcome(part: Buffer): boolean;
/**
 * A JSON object of this protocol's version.
 * @param {Buffer} header
 */
export declare function parseHeader(header: Buffer): Fields;
