/** A subscriber's sockets: records at the endpoint that the user gave, pictures and delivery where
 * the publisher says they are. */

import { Dealer, Subscriber as Sub } from "zeromq";

import { addressOf, isIpv6, parseEndpoint, seenThrough } from "./endpoints.js";
import { EndpointError } from "./errors.js";
import { watchHandshakes } from "./handshakes.js";
import { MOST_STREAMS } from "./status.js";
import { PICTURES, WELCOME, topic } from "./topics.js";

/** @import {Endpoint} from "./endpoints.js" */
/** @import {AccessError} from "./errors.js" */
/** @import {Lock} from "./keys.js" */
/** @import {FrameKind} from "./topics.js" */

/**
 * What to subscribe to, and how to get there. `streams` null means all that the publisher has;
 * `pictures`, `delivery`: their endpoints, when the announced ones do not lead there.
 *
 * @typedef {object} Wanted
 * @property {Endpoint} records
 * @property {Endpoint | null} pictures
 * @property {Endpoint | null} delivery
 * @property {readonly string[] | null} streams
 * @property {readonly FrameKind[]} kinds
 * @property {Lock | null} lock the keys, where the publisher is locked
 */
/** Told when the publisher will not let us in. @typedef {(error: AccessError) => void} Refuse */

/** Room for bursts; reading keeps it empty. Small ones leave the backlog in kernel buffers. */
const RECEIVE_HWM = 1_000;
const LARGEST_PART_BYTES = 64 * 2 ** 20;
export const HEARTBEAT_MS = 2_000;
export const HEARTBEAT_TIMEOUT_MS = 6_000;
const RECONNECT_MS = 200;
/** How long the last words may take on their way when a socket is closed. */
export const LAST_WORDS_MS = 1_000;

/** The two sockets that listen, connected and subscribed. */
export class Sockets {
  /** @type {Endpoint | null} */
  #picturesAt = null;
  /** @type {Set<string>} */
  #picturesOf = new Set();
  #wanted;
  #kinds;

  /**
   * @param {Wanted} wanted
   * @param {Refuse} refuse
   * @throws {EndpointError} when an endpoint cannot be connected to
   */
  constructor(wanted, refuse) {
    this.#wanted = wanted;
    this.#kinds = wanted.kinds.filter((kind) => PICTURES.includes(kind));
    const pictures = wanted.pictures ?? wanted.records;
    this.records = watched(new Sub(optionsOf(wanted, wanted.records)), wanted, refuse);
    this.pictures = watched(new Sub(optionsOf(wanted, pictures)), wanted, refuse);
    this.#subscribe();
    try {
      connect(this.records, wanted.records);
      if (wanted.pictures !== null) this.#connectPictures(wanted.pictures);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Go where the pictures are said to be, and subscribe to those of new streams.
   *
   * @param {string} announced
   * @param {readonly string[]} streams
   * @throws {EndpointError} when that is no address
   */
  follow(announced, streams) {
    if (this.#kinds.length === 0) return;
    if (this.#wanted.streams === null) streams.forEach((name) => this.#subscribePictures(name));
    if (this.#wanted.pictures !== null || announced === "") return;
    const at = parseEndpoint(announced, "publisher's announcement of its pictures");
    this.#connectPictures(seenThrough(at, this.#wanted.records));
  }

  close() {
    this.records.close();
    this.pictures.close();
  }

  /** Before connecting: a welcome is only heard by who has subscribed to it. */
  #subscribe() {
    this.records.subscribe(WELCOME);
    if (this.#wanted.streams === null) this.records.subscribe("v1/");
    for (const stream of this.#wanted.streams ?? []) {
      this.records.subscribe(topic(stream, "status"));
      if (this.#wanted.kinds.includes("meta")) this.records.subscribe(topic(stream, "meta"));
      this.#subscribePictures(stream);
    }
  }

  /** Kind by kind: a publisher encodes what is subscribed to, and nothing else.
   * @param {string} stream */
  #subscribePictures(stream) {
    if (this.#picturesOf.has(stream) || this.#picturesOf.size >= MOST_STREAMS) return;
    this.#picturesOf.add(stream);
    for (const kind of this.#kinds) this.pictures.subscribe(topic(stream, kind));
  }

  /** @param {Endpoint} at */
  #connectPictures(at) {
    const [before, now] = [this.#picturesAt, addressOf(at)];
    if (before !== null && addressOf(before) === now) return;
    connect(this.pictures, at);
    if (before !== null) this.pictures.disconnect(addressOf(before)); // it came back elsewhere
    this.#picturesAt = at;
  }
}

/**
 * A socket that hears welcomes and nothing else: where the publisher is, and whether it is new.
 * @param {Wanted} wanted
 * @param {Refuse} refuse
 * @throws {EndpointError} when the endpoint cannot be connected to
 */
export function openWelcomes(wanted, refuse) {
  const socket = watched(new Sub(optionsOf(wanted, wanted.records)), wanted, refuse);
  socket.subscribe(WELCOME);
  connect(socket, wanted.records);
  return socket;
}

/**
 * A socket that asks for what it wants, to be connected once it is watched.
 * @param {Wanted} wanted
 * @param {Endpoint} at
 */
export function openDealer(wanted, at) {
  return new Dealer({ ...optionsOf(wanted, at), linger: LAST_WORDS_MS });
}

/** Everything that is here already has been read when this is over: two rounds of the event loop,
 * because the first may have begun after the sockets were looked at. */
export async function settled() {
  for (let round = 0; round < 2; round++) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * @template {Sub | Dealer} S
 * @param {S} socket
 * @param {Wanted} wanted
 * @param {Refuse} refuse
 * @returns {S}
 */
function watched(socket, { records, lock }, refuse) {
  watchHandshakes(socket, addressOf(records), lock !== null, refuse);
  return socket;
}

/**
 * @param {Wanted} wanted
 * @param {Endpoint} at an address like the one to connect to
 */
function optionsOf({ lock }, at) {
  return {
    linger: 0,
    receiveHighWaterMark: RECEIVE_HWM,
    maxMessageSize: LARGEST_PART_BYTES,
    heartbeatInterval: HEARTBEAT_MS,
    heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
    heartbeatTimeToLive: HEARTBEAT_TIMEOUT_MS,
    reconnectInterval: RECONNECT_MS,
    ipv6: isIpv6(at),
    ...(lock === null ? {} : keysOf(lock)),
  };
}

/** @param {Lock} lock */
function keysOf({ serverKey, publicKey, secretKey }) {
  return { curveServerKey: serverKey, curvePublicKey: publicKey, curveSecretKey: secretKey };
}

/**
 * Connect, now or as soon as somebody is there.
 * @param {Sub | Dealer} socket
 * @param {Endpoint} endpoint
 * @throws {EndpointError} when that is no address
 */
export function connect(socket, endpoint) {
  try {
    socket.connect(addressOf(endpoint));
  } catch (error) {
    throw new EndpointError({
      where: "subscriber",
      wanted: "an address to connect to",
      got: `${addressOf(endpoint)}: ${error instanceof Error ? error.message : error}`,
      remedy: "Take the endpoint that the publisher prints when it starts",
    });
  }
}
