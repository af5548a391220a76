/** Asks for what it has room for, on the delivery socket: modes `credit` and `lossless`. */

import { Connection } from "./connection.js";
import { decodeWelcome, openEnvelope, unpack } from "./decoding.js";
import { addressOf, parseEndpoint, seenThrough } from "./endpoints.js";
import { StreamError } from "./errors.js";
import { refused, wrong } from "./fields.js";
import { MOST_CREDIT, checkHello, decodeAnswer } from "./requests.js";
import { REFUSALS, noDelivery, unwelcome } from "./refusals.js";
import { openWelcomes } from "./sockets.js";

/** @import {Books} from "./books.js" */
/** @import {Mailbox} from "./mailbox.js" */
/** @import {Hello, Position} from "./requests.js" */
/** @import {Wanted} from "./sockets.js" */

/**
 * @typedef {object} Order
 * @property {"credit" | "lossless"} mode
 * @property {number} credit messages that may be under way
 * @property {string} name of a lossless subscriber
 * @property {Position | null} after what a lossless subscriber has already
 * @property {boolean} untilEnd
 */

/** Fills the mailbox as the program empties it, and keeps the books. */
export class Requester {
  heardMs = performance.now();
  /** @type {Connection | null} */
  #connection = null;
  /** Where the numbers begin anew: a hello in credit mode, a publisher's run in lossless mode. */
  #session = 0;
  #publisher = "";
  /** The last number that came. */
  #received = -1;
  #acknowledged = -1;
  /** Numbers that the program has not finished with, in order. @type {number[]} */
  #outstanding = [];
  /** @type {number | null} */
  #end = null;
  /** If a publisher has ever answered. */
  #isWelcome = false;
  #closed = false;
  #wanted;
  #order;
  #mailbox;
  #books;
  #reject;
  #welcomes;

  /**
   * @param {Wanted} wanted
   * @param {Order} order
   * @param {Mailbox} mailbox
   * @param {Books} books
   * @param {(error: StreamError) => void} reject
   * @throws {RangeError} when no publisher would understand what is asked for
   * @throws {import("./errors.js").EndpointError} when an endpoint cannot be connected to
   */
  constructor(wanted, order, mailbox, books, reject) {
    this.#wanted = wanted;
    this.#order = order;
    this.#mailbox = mailbox;
    this.#books = books;
    this.#reject = reject;
    if (order.after !== null) this.#begin(order.after);
    checkHello({ ...this.#hello(), after: order.after });
    this.#welcomes = openWelcomes(wanted, (error) => this.close(error));
    this.#readWelcomes();
  }

  /** @param {unknown} [error] */
  close(error) {
    if (this.#closed) return;
    this.#closed = true;
    this.#welcomes.close();
    // A lossless subscriber may come back, unless it has all that it wanted.
    if (this.#order.mode === "credit" || this.#isSatisfied())
      this.#connection?.say({ kind: "bye" });
    this.#connection?.close();
    this.#mailbox.finish(error);
  }

  async #readWelcomes() {
    try {
      for await (const [part] of this.#welcomes) this.#guard(() => this.#follow(part));
    } catch (error) {
      this.close(error);
    }
  }

  /** @param {Buffer} part */
  #follow(part) {
    this.heardMs = performance.now();
    const { publisher, delivery } = decodeWelcome(part);
    if (delivery === "" && this.#wanted.delivery === null) return this.close(noDelivery());
    const announced =
      this.#wanted.delivery ?? parseEndpoint(delivery, "publisher's delivery socket");
    const at = seenThrough(announced, this.#wanted.delivery ?? this.#wanted.records);
    const isThere = this.#connection?.address === addressOf(at) && publisher === this.#publisher;
    if (!isThere) this.#connect(at);
  }

  /** @param {import("./endpoints.js").Endpoint} at */
  #connect(at) {
    this.#connection?.drop();
    const lost = (/** @type {unknown} */ error) => this.#lose(at, error);
    const hear = (/** @type {Buffer[]} */ parts) => this.#guard(() => this.#hear(parts));
    this.#connection = new Connection(this.#wanted, at, () => this.#hello(), hear, lost);
  }

  /**
   * @param {import("./endpoints.js").Endpoint} at
   * @param {unknown} error none when nothing was heard for too long
   */
  #lose(at, error) {
    const isDone = this.#order.untilEnd && this.#dealtWith() === this.#end;
    if (error || isDone)
      this.close(error); // a publisher who has said the end waits only so long
    else this.#connect(at);
  }

  /** @returns {Hello} */
  #hello() {
    const { mode, credit, name } = this.#order;
    const { streams, kinds } = this.#wanted;
    if (mode === "credit") return { kind: "hello", mode, streams, kinds, credit };
    const isNew = this.#publisher === "" || this.#acknowledged < 0;
    const after = isNew ? null : { publisher: this.#publisher, number: this.#acknowledged };
    return { kind: "hello", mode, name, streams, kinds, credit, after };
  }

  /** @param {Buffer[]} parts */
  #hear(parts) {
    this.heardMs = performance.now();
    const answer = decodeAnswer(parts[0]);
    if (answer.kind === "welcome") this.#greet(answer.publisher, answer.next);
    else if (answer.kind === "message")
      this.#receive(answer.number, answer.skipped, parts.slice(1));
    else if (answer.kind === "end") this.#noteEnd(answer.number);
    else if (answer.kind === "error") this.#complain(answer.error, answer.text);
  }

  /**
   * A hello was answered. Numbers go on only where nothing may be lost.
   * @param {string} publisher
   * @param {number} next
   */
  #greet(publisher, next) {
    if (this.#connection !== null) this.#connection.greeted = true;
    this.#isWelcome = true;
    const goesOn = this.#order.mode === "lossless" && publisher === this.#publisher;
    if (!goesOn) return this.#begin({ publisher, number: next - 1 });
    if (this.#acknowledged >= next) this.#say(this.#acknowledged); // finished since the hello
    this.#received = Math.max(this.#received, next - 1);
    this.#acknowledged = Math.max(this.#acknowledged, next - 1);
    this.#acknowledge(); // perhaps the end is
  }

  /** Numbers begin anew, after what is here already. @param {Position} after */
  #begin({ publisher, number }) {
    this.#session++;
    this.#publisher = publisher;
    this.#received = this.#acknowledged = number;
    this.#outstanding = [];
    this.#end = null;
  }

  /**
   * @param {number | null} number
   * @param {number} skipped
   * @param {Buffer[]} parts
   */
  #receive(number, skipped, parts) {
    if (number === null) {
      const message = unpack(openEnvelope(parts), parts);
      if (message.kind === "status")
        this.#books.note(message.status, message.publisher, this.heardMs);
      return this.#acknowledge(); // it may tell of an end
    }
    if (!this.#advance(number)) return; // it comes again over a new connection
    try {
      this.#keep(number, skipped, parts);
    } finally {
      this.#acknowledge(); // what could not be understood is dealt with
    }
  }

  /**
   * @param {number} number
   * @param {number} skipped
   * @param {Buffer[]} parts
   */
  #keep(number, skipped, parts) {
    const envelope = openEnvelope(parts);
    const kind = this.#wanted.kinds.find((wanted) => wanted === envelope.kind);
    if (kind === undefined)
      throw wrong("message.kind", this.#wanted.kinds.join(" or "), envelope.kind);
    const session = this.#session;
    this.#books.enter(envelope, kind, skipped, session);
    this.#outstanding.push(number);
    const done = () => this.#finish(session, number);
    const older = this.#mailbox.put({ envelope, parts, number, done });
    if (older !== null) this.#books.skipped(older.envelope);
  }

  /**
   * The program is done with a message.
   * @param {number} session
   * @param {number} number
   */
  #finish(session, number) {
    if (session !== this.#session) return; // nobody asks for it any more
    this.#outstanding = this.#outstanding.filter((other) => other !== number);
    this.#acknowledge();
  }

  /** Everything before the first message that the program is not done with. */
  #dealtWith() {
    return this.#outstanding.length > 0 ? this.#outstanding[0] - 1 : this.#received;
  }

  #acknowledge() {
    const number = this.#dealtWith();
    if (number > this.#acknowledged) {
      this.#acknowledged = number;
      if (this.#connection?.greeted) this.#say(number);
    }
    // Who may lose nothing stays until the publisher can hear it, who waits for it.
    const isHeard = this.#order.mode === "credit" || this.#connection?.isUp;
    const isOver = (number === this.#end && isHeard) || this.#isSatisfied();
    if (this.#order.untilEnd && isOver) this.close();
  }

  /** If all streams that were asked for by name have ended, and the program is done with them. */
  #isSatisfied() {
    const isIdle = this.#acknowledged === this.#received && this.#end === null;
    return isIdle && this.#wanted.streams !== null && this.#books.allOver(null);
  }

  /** @param {number} number */
  #noteEnd(number) {
    if (!this.#advance(number) && number !== this.#end)
      throw refused("end.number", `${this.#received + 1}`, `${number}`);
    this.#end = number;
    this.#books.settle(this.#order.mode === "credit" ? this.#session : null);
    this.#acknowledge();
  }

  /**
   * A number came; false when it is here already.
   * @param {number} number
   * @throws {import("./errors.js").WireError} before the welcome, behind the end, when one before it
   *   did not come, or more than may be under way
   */
  #advance(number) {
    if (!this.#isWelcome) throw refused("message", "a welcome before it", "none");
    if (number <= this.#received) return false;
    const room = this.#acknowledged + MOST_CREDIT + 1;
    const most = Math.min(this.#received + 1, room, this.#end ?? Infinity);
    if (number > most) throw refused("message.number", `one up to ${most}`, `${number}`);
    this.#received = number;
    return true;
  }

  /** @param {number} number */
  #say(number) {
    this.#connection?.say({ kind: "ack", number });
  }

  /**
   * @param {string} error
   * @param {string} text
   */
  #complain(error, text) {
    const connection = this.#connection;
    if (error === "unknown" && connection?.greeted) connection.sayHello();
    else if (Object.hasOwn(REFUSALS, error)) this.close(unwelcome(this.#order.name, error, text));
    else if (error !== "unknown" && error !== "full")
      // then it is asked again in 2 s
      process.emitWarning(`the publisher says: ${JSON.stringify(text)}`);
  }

  /** Count what is none of this protocol, and go on. @param {() => void} listen */
  #guard(listen) {
    try {
      if (!this.#closed) listen();
    } catch (error) {
      if (error instanceof StreamError) this.#reject(error);
      else this.close(error);
    }
  }
}
