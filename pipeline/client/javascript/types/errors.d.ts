/** Every error that a program can meet, each with four parts: where, what was wanted, what came,
 * and what to do about it. */
export type Parts = {
    where: string;
    wanted: string;
    got: string;
    remedy: string;
};
/**
 * @typedef {object} Parts
 * @property {string} where
 * @property {string} wanted
 * @property {string} got
 * @property {string} remedy
 */
/** The root. `message` is one line, fit for a terminal. */
export declare class StreamError extends Error {
    where: string;
    wanted: string;
    got: string;
    remedy: string;
    /** @param {Parts} parts */
    constructor({ where, wanted, got, remedy }: Parts);
}
/** A ZeroMQ endpoint that cannot be connected, or a publisher that is silent. */
export declare class EndpointError extends StreamError {
}
/** A key that is missing, wrong or not allowed, or that others can read. */
export declare class AccessError extends EndpointError {
}
/** Bytes that are not a message of this protocol. */
export declare class WireError extends StreamError {
}
/** A message of another protocol version. */
export declare class UnsupportedVersion extends WireError {
}
/** A message that lacks parts or fields. */
export declare class Truncated extends WireError {
}
