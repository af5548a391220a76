/** Conversations on the delivery socket, over real sockets: they go as they must, and the books come
 * out right. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { EndpointError, Subscriber } from "maskstream-client";
import { Router, XPublisher } from "zeromq";

import { bytesOf, read } from "./reading.js";

const NOT_SAID = { streams: null, name: "", after: null };
const LONGEST_MS = 10_000;
const ARRIVAL_MS = 300;

/** The two sockets that such a subscriber needs, in the hands of the test. */
class FalsePublisher {
  #records = new XPublisher({ linger: 0 });
  #router = new Router({ linger: 0, receiveTimeout: LONGEST_MS });
  /** @type {import("zeromq").MessageLike} */
  #route = "";

  /** @returns {Promise<string>} where the records are */
  async open() {
    await this.#router.bind("tcp://127.0.0.1:*");
    const delivery = this.#router.lastEndpoint;
    const welcome = { v: 1, kind: "welcome", publisher: "false", pictures: "", delivery };
    this.#records.welcomeMessage = `welcome/v1/${JSON.stringify(welcome)}`;
    await this.#records.bind("tcp://127.0.0.1:*");
    return String(this.#records.lastEndpoint);
  }

  /** Let the socket of the records send its welcome to who has come. */
  async greet() {
    await this.#records.receive();
  }

  /** @returns {Promise<any>} the next request */
  async hear() {
    const [route, request] = await this.#router.receive();
    this.#route = route;
    return JSON.parse(request.toString("latin1"));
  }

  /**
   * @param {object} said
   * @param {(Buffer | string)[]} parts
   */
  async say(said, parts = []) {
    await this.#router.send([this.#route, JSON.stringify(said), ...parts]);
  }

  /** Close the delivery socket. */
  go() {
    this.#router.close();
  }

  close() {
    this.#records.close();
    this.#router.close();
  }
}

/** The publisher's half of a conversation, and the program that takes. */
class Talk {
  #publisher;
  #subscriber;
  #isSilent = false;

  /**
   * @param {FalsePublisher} publisher
   * @param {Subscriber} subscriber
   */
  constructor(publisher, subscriber) {
    this.#publisher = publisher;
    this.#subscriber = subscriber;
  }

  /** @param {any} step */
  async step(step) {
    const subscriber = this.#subscriber;
    if (step.hears) {
      await this.#hear(step.hears);
    } else if (step.says) {
      await this.#publisher.say(step.says, messageOf(step));
    } else if (step.takes) {
      for (const pseq of step.takes) {
        assert.equal((await subscriber.take(LONGEST_MS))?.pseq, pseq);
      }
    } else if (step.done) {
      subscriber.ack();
    } else if (step.over) {
      assert.equal(await subscriber.take(LONGEST_MS), null);
      assert.ok(subscriber.ended);
    } else if (step.fails) {
      await assert.rejects(subscriber.take(LONGEST_MS), EndpointError);
    } else if (step.leaves) {
      subscriber.close();
    } else if (step.gone) {
      await setTimeout(ARRIVAL_MS);
      this.#publisher.go();
    } else {
      this.#isSilent = step.silent;
    }
  }

  /** Pings and acknowledgements of less may come before. @param {any} wanted */
  async #hear(wanted) {
    for (;;) {
      const { v, ...said } = await this.#publisher.hear();
      assert.equal(v, 1);
      const isLess = said.kind === "ack" && said.number < wanted.number;
      if (said.kind === wanted.kind && !isLess) {
        return assert.deepEqual(said.kind === "hello" ? { ...NOT_SAID, ...said } : said, wanted);
      }
      assert.match(said.kind, /^(ping|ack)$/);
      if (said.kind === "ping" && !this.#isSilent)
        await this.#publisher.say({ v: 1, kind: "pong" });
    }
  }
}

/** What comes behind the first part. @param {any} step */
function messageOf({ header, parts = [] }) {
  if (!header) return parts.map(bytesOf);
  const line = JSON.stringify(header).replace(/[^ -~]/g, "?");
  return [`v1/${header.stream}/${header.kind}/`, line];
}

for (const { name, options, steps, expect } of read("conversations.jsonl")) {
  test(name, { timeout: 30_000 }, async () => {
    const publisher = new FalsePublisher();
    const { after: resumeAfter = null, ...others } = options;
    const subscriber = new Subscriber(await publisher.open(), { ...others, resumeAfter });
    await publisher.greet();
    const talk = new Talk(publisher, subscriber);
    try {
      for (const step of steps) await talk.step(step);
      const { kinds, rejected, restarts } = subscriber.statistics();
      const { captured = 0, received = 0, passedOver = 0, lost = 0, dropped = {} } = kinds[0] ?? {};
      const found = { captured, received, passed_over: passedOver, lost, dropped };
      assert.deepEqual({ ...found, rejected, restarts }, expect);
    } finally {
      subscriber.close();
      publisher.close();
    }
  });
}
