/** Empties the sockets at once, so that what a slow program sees is never old: a backlog would lie
 * in the kernel and in libzmq, out of reach. The mailbox decides what gives way. */

import { isWelcome, decodeWelcome, openEnvelope, unpack } from "./decoding.js";
import { StreamError } from "./errors.js";
import { Sockets, settled } from "./sockets.js";

/** @import {Subscriber as Sub} from "zeromq" */
/** @import {Books} from "./books.js" */
/** @import {Mailbox} from "./mailbox.js" */
/** @import {Wanted} from "./sockets.js" */

const CHECK_MS = 50;

/** Reads what is published to everybody, into the mailbox and the books. */
export class Receiver {
  heardMs = performance.now();
  #sockets;
  #timer;
  #wanted;
  #mailbox;
  #books;
  #reject;

  /**
   * @param {Wanted} wanted
   * @param {Mailbox} mailbox
   * @param {Books} books
   * @param {(error: StreamError) => void} reject
   * @param {boolean} untilEnd
   * @throws {import("./errors.js").EndpointError} when an endpoint cannot be connected to
   */
  constructor(wanted, mailbox, books, reject, untilEnd) {
    this.#wanted = wanted;
    this.#mailbox = mailbox;
    this.#books = books;
    this.#reject = reject;
    this.#sockets = new Sockets(wanted, (error) => this.close(error));
    this.#timer = untilEnd ? setInterval(() => this.#checkEnd(), CHECK_MS) : undefined;
    this.#read(this.#sockets.records);
    this.#read(this.#sockets.pictures);
  }

  /** @param {unknown} [error] */
  close(error) {
    clearInterval(this.#timer);
    this.#sockets.close();
    this.#mailbox.finish(error);
  }

  async #checkEnd() {
    await settled(); // a program that was busy may not have looked
    if (this.#sockets.records.closed) return;
    if (this.#books.allOver(performance.now())) this.close();
  }

  /** @param {Sub} socket */
  async #read(socket) {
    try {
      for await (const parts of socket) this.#sort(parts);
    } catch (error) {
      this.close(error); // it belongs to the program that iterates
    }
  }

  /** @param {Buffer[]} parts */
  #sort(parts) {
    this.heardMs = performance.now();
    try {
      if (isWelcome(parts[0])) this.#sockets.follow(decodeWelcome(parts[0]).pictures, []);
      else this.#accept(parts);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.#reject(error);
    }
  }

  /** @param {Buffer[]} parts */
  #accept(parts) {
    const envelope = openEnvelope(parts);
    if (envelope.kind !== "status") {
      if (!this.#wanted.kinds.includes(envelope.kind)) return;
      this.#books.enter(envelope, envelope.kind);
      const older = this.#mailbox.put({ envelope, parts });
      if (older !== null) this.#books.skipped(older.envelope);
      return;
    }
    const message = unpack(envelope, parts);
    if (message.kind !== "status") return;
    this.#books.note(message.status, envelope.publisher, this.heardMs);
    this.#books.catchUp(message.status, envelope.publisher);
    this.#sockets.follow(message.status.pictures, message.status.streams);
  }
}
