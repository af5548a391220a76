/** Runs of messages some of which are lost, over a real socket: the books come out as they must. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { Subscriber, equation } from "maskstream-client";
import { XPublisher } from "zeromq";

import { bytesOf, read } from "./reading.js";

const MARK = {
  v: 1,
  kind: "status",
  stream: "last",
  epoch: null,
  seq: null,
  state: "running",
  reconnects: 0,
  fps: { in: 0, out: 0 },
  age_ms: null,
  dropped: {},
  totals: { captured: 0, published: 0, dropped: {} },
  messages: {},
  model: null,
  classes: null,
  pictures: "",
  streams: ["last"],
};

/** Sends the events of a sequence and waits until the subscriber has them. */
class Player {
  #publisher = "";
  #marks = 0;
  #socket;
  #subscriber;

  /**
   * @param {XPublisher} socket
   * @param {Subscriber} subscriber
   */
  constructor(socket, subscriber) {
    this.#socket = socket;
    this.#subscriber = subscriber;
  }

  /** @param {any} event */
  async play({ take, parts, header }) {
    if (take) {
      await this.settle();
      for (let i = 0; i < take; i++) assert.notEqual(await this.#subscriber.take(5000), null);
    } else if (parts) {
      await this.#socket.send(parts.map(bytesOf));
    } else {
      this.#publisher = header.publisher;
      await this.#send(header);
    }
  }

  /** A status of another stream comes behind everything that was sent. */
  async settle() {
    this.#marks++;
    await this.#send({ ...MARK, publisher: this.#publisher, pseq: 0, utc_ns: this.#marks });
    while (this.#subscriber.statuses().get("last")?.utcNs !== BigInt(this.#marks)) {
      await setTimeout(1);
    }
  }

  /** @param {any} header */
  async #send(header) {
    const line = JSON.stringify(header).replace(/[^ -~]/g, "?");
    await this.#socket.send([`v1/${header.stream}/${header.kind}/`, line]);
  }
}

/**
 * A socket of a publisher to which a subscriber has come.
 * @param {any} options
 */
async function together(options) {
  const socket = new XPublisher({ linger: 0 });
  await socket.bind("tcp://127.0.0.1:*");
  const subscriber = new Subscriber(String(socket.lastEndpoint), options);
  for (let wish = ""; wish !== "\x01v1/";) wish = (await socket.receive())[0].toString("latin1");
  return { socket, subscriber };
}

for (const { name, mode, events, expect } of read("sequences.jsonl")) {
  test(name, { timeout: 20_000 }, async () => {
    const { socket, subscriber } = await together({ mode, untilEnd: false });
    const player = new Player(socket, subscriber);
    for (const event of events) await player.play(event);
    await player.settle();
    while ((await subscriber.take(0)) !== null);
    const { kinds, rejected, restarts } = subscriber.statistics();
    subscriber.close();
    socket.close();
    const counts = kinds.find(({ stream, kind }) => stream === "gate-2" && kind === "meta");
    assert.ok(counts);
    const found = /** @type {any} */ ({ ...counts, rejected, restarts });
    assert.deepEqual(
      Object.fromEntries(Object.keys(expect).map((key) => [key, found[key]])),
      expect,
    );
    const dropped = Object.values(counts.dropped).reduce((sum, count) => sum + count, 0);
    assert.equal(counts.captured, counts.received + counts.lost + dropped);
    const [left, ...right] = equation(counts).match(/\d+(?= [cdrsl])/g) ?? [];
    assert.equal(
      Number(left),
      right.reduce((sum, number) => sum + Number(number), 0),
    );
  });
}
