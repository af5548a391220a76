/** Subscriber: connect, filter, iterate messages, see gaps. */

import { Books } from "./books.js";
import { unpack } from "./decoding.js";
import { addressOf, parseReachable } from "./endpoints.js";
import { EndpointError, StreamError, WireError } from "./errors.js";
import { readLock } from "./keys.js";
import { Mailbox } from "./mailbox.js";
import { Receiver } from "./receiver.js";
import { Requester } from "./requester.js";
import { MOST_CREDIT } from "./requests.js";
import { settled } from "./sockets.js";
import { FRAME_KINDS, checkStream } from "./topics.js";

/** @import {FrameMessage} from "./decoding.js" */
/** @import {KeyPair} from "./keys.js" */
/** @import {Letter, Mode} from "./mailbox.js" */
/** @import {Order} from "./requester.js" */
/** @import {Position} from "./requests.js" */
/** @import {Wanted} from "./sockets.js" */
/** @import {FrameKind} from "./topics.js" */

/**
 * @typedef {object} SubscriberOptions
 * @property {readonly string[] | null} [streams] names; all by default
 * @property {readonly FrameKind[]} [kinds] meta by default
 * @property {Mode} [mode] `latest` (live: of each stream and kind the newest, older ones are
 *   skipped and counted) or `all` (in order, up to `waiting` messages, then the oldest are skipped
 *   and counted), and, asked for on the delivery socket, `credit` (live: the publisher sends the
 *   newest when there is room for it) or `lossless` (every message, once)
 * @property {number} [waiting] 256 by default
 * @property {number} [credit] messages that may be under way in the modes `credit` (1 by default)
 *   and `lossless` (16)
 * @property {string} [name] of a `lossless` subscriber: one of the publisher's `publish.lossless`
 * @property {Position | null} [resumeAfter] the `position` of the last message whose result a
 *   `lossless` subscriber has written down, in the life before this one
 * @property {boolean} [untilEnd] stop when the publisher says that all wanted streams have ended;
 *   true by default. A publisher that vanishes says nothing and is waited for
 * @property {number | null} [timeoutMs] longest silence, not even a status, that iterating puts up
 *   with; for ever by default
 * @property {string | null} [pictures] their endpoint, when the announced one cannot be reached
 *   from here (a tunnel)
 * @property {string | null} [delivery] the same, of the delivery socket
 * @property {string | KeyPair | null} [keys] for a locked publisher: the path of a .key file
 * @property {string | null} [serverKey] and its public key, or the path of its .pub file
 * @property {(error: StreamError, count: number) => void} [onRejected] told of each message that
 *   was none of this protocol
 */

const SILENCE_CHECK_MS = 100;
/** @type {readonly Mode[]} */
const MODES = ["latest", "all", "credit", "lossless"];
const LOSSLESS_CREDIT = 16;

/**
 * The frames of a publisher, one for each message, for one loop to iterate:
 *
 *     for await (const message of new Subscriber("tcp://127.0.0.1:5555")) console.log(message.seq);
 *
 * It receives from construction on. Leaving the loop closes it; `take` does not.
 */
export class Subscriber {
  #mailbox;
  #books;
  #receiver;
  #settings;
  #address;
  /** What the program is busy with. @type {Letter | null} */
  #inHand = null;

  /**
   * @param {string} endpoint
   * @param {SubscriberOptions} options
   * @throws {EndpointError} when an endpoint is none
   * @throws {WireError} when a stream's name is none
   * @throws {import("./errors.js").AccessError} for keys that cannot be used; iterating throws it when the publisher will
   *   not let us in, or not any more
   * @throws {RangeError} for an unknown mode or kind, or an option that does not go with the mode
   */
  constructor(endpoint, options = {}) {
    const { mode = "latest", waiting = 256, untilEnd = true } = options;
    const settings = { ...options, mode, waiting, untilEnd };
    checkChoice("mode", [mode], MODES);
    if (mode === "all") checkRoom(waiting);
    const order = orderOf(settings);
    const wanted = wantedOf(endpoint, options);
    this.#settings = settings;
    this.#address = addressOf(wanted.records);
    this.#books = new Books(wanted.streams, wanted.kinds);
    this.#mailbox = new Mailbox(settings.mode, order?.credit ?? settings.waiting);
    const reject = this.#reject.bind(this);
    this.#receiver =
      order === null
        ? new Receiver(wanted, this.#mailbox, this.#books, reject, settings.untilEnd)
        : new Requester(wanted, order, this.#mailbox, this.#books, reject);
  }

  /**
   * Messages until the end or `close`.
   *
   * @returns {AsyncGenerator<FrameMessage, void, void>}
   * @throws {EndpointError} when the publisher was silent for `timeoutMs`
   */
  async *[Symbol.asyncIterator]() {
    const patience = this.#settings.timeoutMs == null ? null : SILENCE_CHECK_MS;
    try {
      while (!this.ended) {
        const message = await this.take(patience);
        if (message === null) this.#checkSilence();
        else yield message;
      }
    } finally {
      this.close();
    }
  }

  /**
   * The next message; null when none came in time or none will come. In the modes `credit` and
   * `lossless` this acknowledges the one before.
   * @param {number | null} [timeoutMs]
   * @returns {Promise<FrameMessage | null>}
   */
  async take(timeoutMs = null) {
    await settled(); // so that what comes first is new, also after a busy program
    for (;;) {
      this.ack();
      const letter = await this.#mailbox.take(timeoutMs);
      const message = letter && this.#open(letter);
      if (letter === null || message !== null) return message;
    }
  }

  /** Say that the program is done with the message that it took last: in the modes `credit` and
   * `lossless` there is room for another. */
  ack() {
    this.#inHand?.done?.();
    this.#inHand = null;
  }

  /** If nothing will come any more. */
  get ended() {
    return this.#mailbox.finished;
  }

  /** The last status of each wanted stream, by name. */
  statuses() {
    return this.#books.statuses();
  }

  /** What was received, skipped, lost and dropped so far. */
  statistics() {
    return this.#books.statistics();
  }

  /** Stop receiving; iterating ends after what is already here. May be called twice. */
  close() {
    this.#receiver.close();
  }

  /**
   * The whole of a message; null, and counted, when the inside is damaged.
   * @param {Letter} letter
   * @returns {FrameMessage | null}
   */
  #open(letter) {
    const { envelope, parts, number } = letter;
    this.#inHand = letter;
    try {
      const message = unpack(envelope, parts);
      this.#books.delivered(envelope);
      if (message.kind === "status") return null;
      const model = message.model && this.#books.model(message.stream, message.model);
      const position = number === undefined ? null : { publisher: message.publisher, number };
      return { ...message, model, position };
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#books.spoiled(envelope);
      this.#reject(error);
      return null;
    }
  }

  /** @param {StreamError} error */
  #reject(error) {
    const count = this.#books.rejected();
    this.#settings.onRejected?.(error, count);
  }

  #checkSilence() {
    const silentMs = performance.now() - this.#receiver.heardMs;
    if (this.ended || silentMs < (this.#settings.timeoutMs ?? Infinity)) return;
    throw new EndpointError({
      where: `subscriber to ${this.#address}`,
      wanted: "a status at least each second",
      got: `nothing for ${(silentMs / 1000).toFixed(1)} s`,
      remedy: "Is the publisher running, and is this the endpoint that it printed?",
    });
  }
}

/**
 * What to ask for; null in the modes that listen to what is sent to everybody.
 *
 * @param {SubscriberOptions & {untilEnd: boolean}} settings
 * @returns {Order | null}
 */
function orderOf({ mode, credit, name = "", resumeAfter = null, untilEnd }) {
  if ((name !== "") !== (mode === "lossless")) throw new RangeError("name goes with mode lossless");
  if (resumeAfter !== null && mode !== "lossless") {
    throw new RangeError("resumeAfter goes with mode lossless");
  }
  if (mode !== "credit" && mode !== "lossless") return null;
  const most = credit ?? (mode === "credit" ? 1 : LOSSLESS_CREDIT);
  if (!Number.isInteger(most) || most < 1 || most > MOST_CREDIT) {
    throw new RangeError(`credit must be from 1 to ${MOST_CREDIT}, got ${credit}`);
  }
  return { mode, credit: most, name, after: resumeAfter, untilEnd };
}

/**
 * @param {string} endpoint
 * @param {SubscriberOptions} options
 * @returns {Wanted}
 */
function wantedOf(endpoint, options) {
  const { streams, kinds = ["meta"], pictures, delivery, keys = null, serverKey = null } = options;
  checkChoice("kinds", kinds, FRAME_KINDS);
  streams?.forEach(checkStream);
  return {
    records: parseReachable(endpoint, "subscriber"),
    pictures: pictures ? parseReachable(pictures, "subscriber") : null,
    delivery: delivery ? parseReachable(delivery, "subscriber") : null,
    streams: streams ? [...streams] : null,
    kinds: [...kinds],
    lock: readLock(keys, serverKey),
  };
}

/** @param {unknown} waiting */
function checkRoom(waiting) {
  if (typeof waiting === "number" && waiting >= 1) return;
  throw new RangeError(`waiting must be 1 or more, got ${waiting}`);
}

/**
 * @param {string} name
 * @param {readonly string[]} chosen
 * @param {readonly string[]} known
 */
function checkChoice(name, chosen, known) {
  const fits = Array.isArray(chosen) && chosen.length > 0;
  if (fits && chosen.every((each) => known.includes(each))) return;
  throw new RangeError(`${name} must be of ${known.join(", ")}, got ${JSON.stringify(chosen)}`);
}
