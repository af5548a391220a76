/** What is published to everybody, received by a program that is busy, or asks for odd things. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { Subscriber } from "maskstream-client";
import { XPublisher } from "zeromq";

import { bytesOf, read } from "./reading.js";

const LONGER_THAN_THE_GRACE_MS = 1_300;

/** The headers and pictures of golden messages. @param {string} kind */
function golden(kind) {
  const { parts } = read("accepted.jsonl").find(({ name }) => name === `golden ${kind}`);
  const [, header, picture] = parts.map(bytesOf);
  return { header: JSON.parse(header.toString("latin1")), picture };
}

/** The two sockets of a publisher, to which a subscriber to `annotated` of gate-2 has come. */
async function together(host = "127.0.0.1") {
  const [records, pictures] = [
    new XPublisher({ linger: 0 }),
    new XPublisher({ linger: 0, ipv6: true }),
  ];
  await records.bind("tcp://127.0.0.1:*");
  await pictures.bind(`tcp://${host}:*`);
  const subscriber = new Subscriber(String(records.lastEndpoint), {
    kinds: ["annotated"],
    streams: ["gate-2"],
    mode: "all",
    pictures: String(pictures.lastEndpoint),
  });
  const wanted = "\x01v1/gate-2/";
  while (!String(await records.receive()).startsWith(wanted));
  while (!String(await pictures.receive()).startsWith(wanted));
  return { records, pictures, subscriber };
}

/**
 * @param {XPublisher} socket
 * @param {any} header
 * @param {Buffer[]} more
 */
async function send(socket, header, ...more) {
  const line = JSON.stringify(header).replace(/[^ -~]/g, "?");
  await socket.send([`v1/${header.stream}/${header.kind}/`, line, ...more]);
}

test("a program that is busy at the end loses no picture", { timeout: 20_000 }, async () => {
  const { records, pictures, subscriber } = await together();
  const { header, picture } = golden("annotated");
  const messages = { meta: 0, annotated: 3, image: 0 };
  await send(records, { ...golden("status").header, state: "ended", messages });
  while (subscriber.statuses().get("gate-2")?.state !== "ended") await setTimeout(1);
  await new Promise((resolve) => setImmediate(resolve)); // clocks have their turn before sockets
  const sent = [0, 1, 2].map((pseq) => send(pictures, { ...header, pseq }, picture));
  for (const since = performance.now(); performance.now() - since < LONGER_THAN_THE_GRACE_MS;);
  const seen = [];
  for await (const { pseq } of subscriber) seen.push(pseq);
  assert.deepEqual(seen, [0, 1, 2]);
  await Promise.all(sent);
  records.close();
  pictures.close();
});

test("pictures have an address of another kind", { timeout: 20_000 }, async () => {
  const { records, pictures, subscriber } = await together("[::1]");
  subscriber.close();
  records.close();
  pictures.close();
});

test("what is not said is as usual", { timeout: 20_000 }, async () => {
  const options = /** @type {any} */ ({ mode: undefined, waiting: undefined, untilEnd: undefined });
  const records = new XPublisher({ linger: 0 });
  await records.bind("tcp://127.0.0.1:*");
  const subscriber = new Subscriber(String(records.lastEndpoint), options);
  while (!String(await records.receive()).startsWith("\x01v1/"));
  const messages = { meta: 0, annotated: 0, image: 0 };
  const { header } = golden("status");
  await send(records, { ...header, state: "ended", messages, streams: ["gate-2"] });
  assert.equal(await subscriber.take(5_000), null);
  assert.ok(subscriber.ended);
  records.close();
});

for (const waiting of [0, -1, NaN, "7"]) {
  test(`no room for a message: ${waiting}`, () => {
    const options = /** @type {any} */ ({ mode: "all", waiting });
    assert.throws(() => new Subscriber("tcp://127.0.0.1:9", options).close(), RangeError);
  });
}
