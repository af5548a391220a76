/** Addresses that a subscriber connects to: `tcp://host:port`, `ipc://path`. libzmq takes
 * "tcp://127.0.0.1:80x" for port 80 and port 99999 for 34463; here both are errors. */

import { EndpointError } from "./errors.js";

/**
 * One address. `place`: host or path. `port` 0 means any free one, null is for ipc.
 * @typedef {{scheme: "tcp" | "ipc", place: string, port: number | null}} Endpoint
 */

const TCP = /^tcp:\/\/(\[[0-9a-fA-F:.]+\]|[^\s:/[\]@]+):(\*|[0-9]{1,5})$/;
const IPC = /^ipc:\/\/([^\s*].*)$/;
const LARGEST_PORT = 65_535;
const LONGEST_PATH_BYTES = 100;

/**
 * @param {string} address
 * @param {string} where says which setting it came from
 * @returns {Endpoint}
 * @throws {EndpointError} when it is none
 */
export function parseEndpoint(address, where) {
  const tcp = TCP.exec(address);
  const port = tcp === null || tcp[2] === "*" ? 0 : Number(tcp[2]);
  if (tcp !== null && port <= LARGEST_PORT) return { scheme: "tcp", place: tcp[1], port };
  const ipc = IPC.exec(address);
  if (ipc !== null && Buffer.byteLength(ipc[1]) <= LONGEST_PATH_BYTES) {
    return { scheme: "ipc", place: ipc[1], port: null };
  }
  throw new EndpointError({
    where,
    wanted: "tcp://HOST:PORT with a port up to 65535, or ipc://PATH of up to 100 bytes",
    got: JSON.stringify(withoutUser(address)),
    remedy: "For example tcp://127.0.0.1:5555",
  });
}

/**
 * @param {string} address
 * @param {string} where
 * @returns {Endpoint}
 * @throws {EndpointError} when it is none that can be connected to
 */
export function parseReachable(address, where) {
  const endpoint = parseEndpoint(address, where);
  if (endpoint.port !== 0) return endpoint;
  throw new EndpointError({
    where,
    wanted: "the publisher's port",
    got: JSON.stringify(address),
    remedy: "Take the endpoint that the publisher prints when it starts",
  });
}

/** @param {Endpoint} endpoint */
export function addressOf({ place, port }) {
  return port === null ? `ipc://${place}` : `tcp://${place}:${port}`;
}

/** @param {Endpoint} endpoint */
export function isIpv6({ place }) {
  return place.startsWith("[");
}

/**
 * An announced address as it is from where `records` is the way to the same publisher: one on
 * tcp://0.0.0.0 or behind a tunnel cannot know by what name it is reached.
 *
 * @param {Endpoint} announced
 * @param {Endpoint} records
 * @returns {Endpoint}
 */
export function seenThrough(announced, records) {
  const bothTcp = announced.scheme === "tcp" && records.scheme === "tcp";
  return bothTcp ? { ...announced, place: records.place } : announced;
}

/** What stands before an @ may be a password. @param {string} address */
function withoutUser(address) {
  return address.replace(/:\/\/.*@/s, "://…@").replace(/[?#].*/s, "?…");
}
