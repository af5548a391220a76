/** All that a subscriber knows of a publisher: accounts, statuses, and whether it has ended. */

import { Account } from "./accounts.js";
import { refused } from "./fields.js";
import { MOST_STREAMS } from "./status.js";

/** @import {KindStatistics} from "./accounts.js" */
/** @import {Envelope} from "./decoding.js" */
/** @import {Model, Status} from "./status.js" */
/** @import {FrameKind} from "./topics.js" */

/**
 * All that a subscriber counted. `rejected`: messages that were none of this protocol. `restarts`:
 * how often another publisher took over.
 * @typedef {{kinds: KindStatistics[], rejected: number, restarts: number}} Statistics
 */

/** How long messages may still come after the publisher said that a stream has ended: pictures
 * have another way than records. */
const GRACE_MS = 1_000;
const OVER = ["ended", "failed"];

export class Books {
  /** @type {Map<string, {stream: string, kind: FrameKind, account: Account}>} */
  #accounts = new Map();
  /** @type {Map<string, Status>} */
  #statuses = new Map();
  /** @type {Map<string, number>} */
  #overMs = new Map();
  /** @type {Set<string>} */
  #met = new Set();
  #publisher = "";
  #restarts = 0;
  #rejected = 0;
  #streams;
  #kinds;

  /**
   * @param {readonly string[] | null} streams
   * @param {readonly FrameKind[]} kinds
   */
  constructor(streams, kinds) {
    this.#streams = streams;
    this.#kinds = kinds;
  }

  /**
   * A frame's message came, and the publisher says how many he skipped in this session.
   *
   * @param {Envelope} envelope
   * @param {FrameKind} kind
   * @param {number} skipped
   * @param {number} session
   * @throws {import("./errors.js").WireError} when its counters are missing, or it is of one stream
   *   too many
   */
  enter(envelope, kind, skipped = 0, session = 0) {
    this.#meet(envelope.stream);
    if (kind === "meta") this.#notePublisher(envelope.publisher);
    const account = this.#account(envelope.stream, kind);
    account.enter(envelope, skipped, session);
    const status = this.#statuses.get(envelope.stream);
    if (kind === "meta" && status !== undefined) account.orient(envelope.publisher, status);
  }

  /**
   * A status came.
   * @param {Status} status
   * @param {string} publisher
   * @param {number} nowMs
   * @throws {import("./errors.js").WireError} when it is of one stream too many
   */
  note(status, publisher, nowMs) {
    this.#meet(status.stream);
    this.#notePublisher(publisher);
    this.#statuses.set(status.stream, status);
    this.#accounts.get(`${status.stream}/meta`)?.account.orient(publisher, status);
    if (!OVER.includes(status.state)) this.#overMs.delete(status.stream);
    else if (!this.#overMs.has(status.stream)) this.#overMs.set(status.stream, nowMs);
  }

  /**
   * A status came behind all records that were sent before it: some of them may be lost.
   * @param {Status} status
   * @param {string} publisher
   */
  catchUp(status, publisher) {
    const account = this.#accounts.get(`${status.stream}/meta`)?.account;
    account?.catchUp(publisher, status);
    if (OVER.includes(status.state)) account?.settle(publisher, status.totals);
  }

  /** @param {Envelope} envelope */
  skipped({ stream, kind }) {
    if (kind !== "status") this.#account(stream, kind).skipped++;
  }

  /** @param {Envelope} envelope */
  delivered({ stream, kind }) {
    if (kind !== "status") this.#account(stream, kind).delivered++;
  }

  /** @param {Envelope} envelope */
  spoiled({ stream, kind }) {
    if (kind !== "status") this.#account(stream, kind).spoil();
  }

  /** Count a message that is none of this protocol; all of them so far. */
  rejected() {
    return ++this.#rejected;
  }

  /** The last status of each stream, from the publisher that is there now. */
  statuses() {
    return new Map(this.#statuses);
  }

  /**
   * `model` with all its class names, once a status has told them.
   * @param {string} stream
   * @param {Model} model
   */
  model(stream, model) {
    const known = this.#statuses.get(stream)?.model ?? null;
    const same = known !== null && known.name === model.name && known.weights === model.weights;
    return same ? known : model;
  }

  /** @returns {Statistics} */
  statistics() {
    const kinds = [...this.#accounts.values()].map(({ stream, kind, account }) => {
      return { stream, kind, ...account.statistics() };
    });
    return { kinds, rejected: this.#rejected, restarts: this.#restarts };
  }

  /**
   * If every wanted stream has ended and its last messages are here, or lost for sure. Without
   * `nowMs`, for who can lose none, no message is held for lost.
   * @param {number | null} nowMs
   */
  allOver(nowMs) {
    // Looking through all that each status names takes long.
    if (!this.#streams?.length && this.#overMs.size < this.#statuses.size) return false;
    const names = this.#streams?.length ? this.#streams : this.#known();
    if (names.length === 0 || !names.every((name) => this.#isOver(name, nowMs))) return false;
    this.#end(names);
    return true;
  }

  /**
   * The publisher has ended, and sends nothing more of what he was asked for. What is missing since
   * a message of `session` was passed over; other messages, or all, are lost.
   * @param {number | null} session
   */
  settle(session) {
    for (const stream of this.#overMs.keys()) {
      const status = this.#statuses.get(stream);
      const account = this.#accounts.get(`${stream}/meta`)?.account;
      if (status === undefined || account === undefined) continue;
      account.catchUp(this.#publisher, status, session);
      account.settle(this.#publisher, status.totals);
    }
    this.#end([...this.#overMs.keys()], session);
  }

  /**
   * @param {readonly string[]} names
   * @param {number | null} session
   */
  #end(names, session = null) {
    for (const { stream, kind, account } of this.#accounts.values()) {
      if (names.includes(stream))
        account.end(this.#publisher, this.#messages(stream, kind), session);
    }
  }

  #known() {
    const told = [...this.#statuses.values()].flatMap((status) => status.streams);
    return [...new Set([...told, ...this.#statuses.keys()])];
  }

  /**
   * @param {string} stream
   * @param {number | null} nowMs
   */
  #isOver(stream, nowMs) {
    const since = this.#overMs.get(stream);
    if (since === undefined) return false;
    if (nowMs !== null && nowMs - since >= GRACE_MS) return true;
    return this.#kinds.every((kind) => this.#isComplete(stream, kind));
  }

  /**
   * @param {string} stream
   * @param {FrameKind} kind
   */
  #isComplete(stream, kind) {
    const account = this.#accounts.get(`${stream}/${kind}`)?.account;
    const messages = this.#messages(stream, kind);
    if (account === undefined || account.publisher !== this.#publisher) return messages === 0;
    return account.nextPseq >= messages;
  }

  /**
   * @param {string} stream
   * @param {FrameKind} kind
   */
  #messages(stream, kind) {
    return this.#statuses.get(stream)?.messages[kind] ?? 0;
  }

  /** Keep books of so many streams, and not of what a stranger invents without end.
   * @param {string} stream */
  #meet(stream) {
    if (!this.#met.has(stream) && this.#met.size >= MOST_STREAMS)
      throw refused("header.stream", `one of up to ${MOST_STREAMS} streams`, "another");
    this.#met.add(stream);
  }

  /** @param {string} publisher */
  #notePublisher(publisher) {
    if (this.#publisher !== "" && publisher !== this.#publisher) {
      this.#restarts++;
      this.#statuses.clear();
      this.#overMs.clear();
    }
    this.#publisher = publisher;
  }

  /**
   * @param {string} stream
   * @param {FrameKind} kind
   */
  #account(stream, kind) {
    const key = `${stream}/${kind}`;
    const known = this.#accounts.get(key) ?? { stream, kind, account: new Account() };
    this.#accounts.set(key, known);
    return known.account;
  }
}
