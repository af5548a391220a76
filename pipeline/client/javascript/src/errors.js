/** Every error that a program can meet, each with four parts: where, what was wanted, what came,
 * and what to do about it. */

/**
 * @typedef {object} Parts
 * @property {string} where
 * @property {string} wanted
 * @property {string} got
 * @property {string} remedy
 */

/** The root. `message` is one line, fit for a terminal. */
export class StreamError extends Error {
  /** @param {Parts} parts */
  constructor({ where, wanted, got, remedy }) {
    super(`${where}: wanted ${wanted}, got ${got}. ${remedy}`);
    this.name = new.target.name;
    this.where = where;
    this.wanted = wanted;
    this.got = got;
    this.remedy = remedy;
  }
}

/** A ZeroMQ endpoint that cannot be connected, or a publisher that is silent. */
export class EndpointError extends StreamError {}

/** A key that is missing, wrong or not allowed, or that others can read. */
export class AccessError extends EndpointError {}

/** Bytes that are not a message of this protocol. */
export class WireError extends StreamError {}

/** A message of another protocol version. */
export class UnsupportedVersion extends WireError {}

/** A message that lacks parts or fields. */
export class Truncated extends WireError {}
