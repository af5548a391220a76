/** Keys of CURVE, from the files that `run_stream.py keys new` makes: NAME.key, a pair that only its
 * owner can read, and NAME.pub. A public key is 40 characters of Z85 (ZeroMQ RFC 32). */

import { readFileSync, statSync } from "node:fs";

import { AccessError } from "./errors.js";

/** A pair, each half in Z85. @typedef {{publicKey: string, secretKey: string}} KeyPair */
/** What a locked publisher asks for. @typedef {KeyPair & {serverKey: string}} Lock */

const KEY = /^[0-9a-zA-Z.\-:+=^!/*?&<>()[\]{}@%$#]{40}$/;
const LARGEST_FILE_BYTES = 4_096;
const OTHERS = 0o077;
const MAKE_THEM = "Make a pair with `run_stream.py keys new NAME`";

/**
 * The keys of a subscriber and its publisher; null without both.
 *
 * @param {string | KeyPair | null} keys a pair, or the path of a .key file
 * @param {string | null} serverKey a public key, or the path of a .pub file
 * @returns {Lock | null}
 * @throws {AccessError} when one is missing or cannot be used
 */
export function readLock(keys, serverKey) {
  if (!keys && !serverKey) return null;
  if (!keys || !serverKey) {
    const wanted = "keys and the publisher's public key (serverKey) together";
    throw refused("subscriber", wanted, "one without the other", MAKE_THEM);
  }
  const { publicKey, secretKey } = typeof keys === "string" ? readKeys(keys) : keys;
  for (const key of [publicKey, secretKey]) {
    if (!KEY.test(key)) throw refused("keys", "keys of 40 characters", "something else", MAKE_THEM);
  }
  return {
    publicKey,
    secretKey,
    serverKey: KEY.test(serverKey) ? serverKey : readPublic(serverKey),
  };
}

/** @param {string} path @returns {KeyPair} */
function readKeys(path) {
  const text = read(path);
  const mode = statSync(path).mode & OTHERS;
  if (process.platform !== "win32" && mode !== 0) {
    const got = "one that others can read";
    throw refused(path, "a file for its owner alone", got, `chmod 600 ${path}`);
  }
  const [publicKey, secretKey] = ["public", "secret"].map((name) => valueOf(text, name));
  if (publicKey && secretKey) return { publicKey, secretKey };
  throw refused(path, "a public and a secret key", "something else", MAKE_THEM);
}

/** @param {string} path */
function readPublic(path) {
  const keys = read(path)
    .split("\n")
    .map((line) => line.trim().split(/\s/)[0]);
  const found = keys.filter((word) => KEY.test(word));
  if (found.length === 1) return found[0];
  throw refused(path, "one public key", `${found.length} keys`, "Give the .pub file of one");
}

/** A line of TOML: name = 'value'.
 * @param {string} text
 * @param {string} name */
function valueOf(text, name) {
  const value = new RegExp(`^${name} *= *(['"])(.*)\\1 *$`, "m").exec(text)?.[2] ?? "";
  return KEY.test(value) ? value : null;
}

/** @param {string} path */
function read(path) {
  try {
    const size = statSync(path).size;
    if (size <= LARGEST_FILE_BYTES) return readFileSync(path, "utf8");
  } catch (error) {
    const got = error instanceof Error ? error.message : String(error);
    throw refused(path, "a file with a key", got, MAKE_THEM);
  }
  throw refused(path, "a file with a key", "a large one", MAKE_THEM);
}

/**
 * @param {string} where
 * @param {string} wanted
 * @param {string} got
 * @param {string} remedy
 */
function refused(where, wanted, got, remedy) {
  return new AccessError({ where, wanted, got, remedy });
}
