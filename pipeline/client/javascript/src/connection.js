/** One connection to a publisher's delivery socket: says hello, keeps itself alive, and says when
 * it is dead. */

import { setTimeout } from "node:timers/promises";

import { addressOf } from "./endpoints.js";
import { encodeRequest } from "./requests.js";
import {
  HEARTBEAT_MS,
  HEARTBEAT_TIMEOUT_MS,
  LAST_WORDS_MS,
  connect,
  openDealer,
  settled,
} from "./sockets.js";

/** @import {Endpoint} from "./endpoints.js" */
/** @import {Hello, Request} from "./requests.js" */
/** @import {Wanted} from "./sockets.js" */

/** A little less than the time between two looks, of which none may be missed. */
const ASK_AGAIN_MS = HEARTBEAT_MS - 100;

export class Connection {
  /** If the last hello was answered. */
  greeted = false;
  #connected = false;
  #heardMs = performance.now();
  #askedMs = 0;
  /** @type {Promise<void>} */
  #saying = Promise.resolve(); // one send at a time is all that a socket allows
  #socket;
  #timer;
  #hello;
  #lost;

  /**
   * @param {Wanted} wanted
   * @param {Endpoint} at
   * @param {() => Hello} hello made anew each time that it is said
   * @param {(parts: Buffer[]) => void} hear
   * @param {(error?: unknown) => void} lost called when nothing was heard for too long, with an
   *   error when the socket broke
   * @throws {import("./errors.js").EndpointError} when the endpoint cannot be connected to
   */
  constructor(wanted, at, hello, hear, lost) {
    this.address = addressOf(at);
    this.#hello = hello;
    this.#lost = lost;
    this.#socket = openDealer(wanted, at);
    this.#greetEachTime();
    this.#read(hear);
    connect(this.#socket, at);
    this.#timer = setInterval(() => this.#check(), HEARTBEAT_MS);
  }

  /** If what is said now arrives, and means something there. */
  get isUp() {
    return this.#connected && this.greeted;
  }

  sayHello() {
    this.greeted = false;
    this.#askedMs = performance.now();
    this.say(this.#hello());
  }

  /**
   * Unless nobody is connected: it would be old by then. (ZMQ_IMMEDIATE does that too, but throws
   * away what came and was not read when a connection ends, such as the end.)
   * @param {Request} request
   */
  say(request) {
    if (!this.#connected) return;
    const part = encodeRequest(request);
    this.#saying = this.#saying
      .then(async () => {
        if (!this.#socket.closed) await this.#socket.send(part);
      })
      .catch(() => {}); // closed meanwhile: what was to be said is of no use any more
  }

  /** At once, without what was not said yet. */
  drop() {
    clearInterval(this.#timer);
    if (this.#socket.closed) return;
    this.#socket.linger = 0;
    this.#socket.close();
  }

  /** After the last words. */
  async close() {
    clearInterval(this.#timer);
    await Promise.race([this.#saying, setTimeout(LAST_WORDS_MS, null, { ref: false })]);
    this.#socket.close();
  }

  /** libzmq connects anew by itself, to who may have forgotten us. */
  async #greetEachTime() {
    for await (const event of this.#socket.events) {
      if (event.type === "disconnect") this.#connected = false;
      if (event.type !== "handshake") continue;
      this.#connected = true;
      this.sayHello();
    }
  }

  /** @param {(parts: Buffer[]) => void} hear */
  async #read(hear) {
    try {
      for await (const parts of this.#socket) {
        this.#heardMs = performance.now();
        hear(parts);
      }
    } catch (error) {
      this.#lost(error);
    }
  }

  async #check() {
    await settled(); // a program that was busy may not have looked
    if (this.#socket.closed) return;
    if (performance.now() - this.#heardMs >= HEARTBEAT_TIMEOUT_MS) this.#lost();
    else if (this.greeted) this.say({ kind: "ping" });
    else if (performance.now() - this.#askedMs >= ASK_AGAIN_MS) this.sayHello();
  }
}
