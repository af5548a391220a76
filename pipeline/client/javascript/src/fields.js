/** Taking typed values out of a JSON object that somebody else wrote. What is not asked for is
 * ignored: fields may be added to the protocol at any time. */

import { Truncated, WireError } from "./errors.js";
import { Real } from "./json.js";

/** @import {Json, JsonObject} from "./json.js" */

export const REMEDY = "The sender does not speak this protocol, or the message was damaged.";
const LARGEST = Number.MAX_SAFE_INTEGER;
const INT64_LOW = -(2n ** 63n);
const INT64_HIGH = 2n ** 63n - 1n;
const BEYOND_64_BITS = 2 ** 63;
const SHOWN_CHARACTERS = 60;
const LONGEST_NAME = 64;
/** Of drop reasons, stages or kinds in one object. */
export const MOST_NAMES = 100;
const NAMES = `names of up to ${LONGEST_NAME} printable characters`;
/** What ends up on terminals: no control, format, private or separating characters but the space. */
const PRINTABLE = /^(?: |[^\p{C}\p{Z}])*$/u;

/** One JSON object and the path to it, for messages. All methods throw WireError. */
export class Fields {
  /** @type {JsonObject} */
  #members;

  /**
   * @param {Json} value
   * @param {string} where
   */
  constructor(value, where) {
    if (!(value instanceof Map)) throw wrong(where, "an object", value);
    this.#members = value;
    this.where = where;
  }

  /**
   * @param {string} name
   * @returns {Json}
   */
  take(name) {
    const value = this.#members.get(name);
    if (value !== undefined) return value;
    const wanted = `the field '${name}'`;
    throw new Truncated({ where: this.where, wanted, got: "none", remedy: REMEDY });
  }

  /** If a field that may be left out is there.
   * @param {string} name */
  has(name) {
    return this.#members.has(name);
  }

  /** If a field that must be there is not null.
   * @param {string} name */
  known(name) {
    return this.take(name) !== null;
  }

  /** @param {string} name */
  path(name) {
    return `${this.where}.${name}`;
  }

  /** @param {string} name */
  inner(name) {
    return new Fields(this.take(name), this.path(name));
  }

  /** @param {string} name */
  text(name) {
    const value = this.take(name);
    if (typeof value !== "string") throw wrong(this.path(name), "a string", value);
    return value;
  }

  /** A string that ends up on terminals and as a key in tables.
   * @param {string} name */
  name(name) {
    const value = this.text(name);
    if (isName(value)) return value;
    throw wrong(this.path(name), NAMES, value);
  }

  /** A counter, an id or a size: a number holds it exactly.
   * @param {string} name */
  integer(name, low = 0, high = LARGEST) {
    return integer(this.take(name), this.path(name), low, high);
  }

  /** A time: an integer of 64 bits, exactly.
   * @param {string} name */
  integer64(name) {
    const value = this.take(name);
    if (typeof value !== "bigint" && typeof value !== "number") {
      throw wrong(this.path(name), "an integer", value);
    }
    const integer = BigInt(value);
    if (integer >= INT64_LOW && integer <= INT64_HIGH) return integer;
    throw wrong(this.path(name), "an integer of 64 bits", value);
  }

  /** @param {string} name */
  number(name) {
    return number(this.take(name), this.path(name));
  }

  /**
   * @param {string} name
   * @param {number} longest
   */
  items(name, longest) {
    const value = this.take(name);
    if (!Array.isArray(value)) throw wrong(this.path(name), "an array", value);
    if (value.length <= longest) return value;
    throw refused(this.path(name), `up to ${longest} items`, `${value.length} items`);
  }

  /** Exactly two integers.
   * @param {string} name
   * @returns {[number, number]} */
  pair(name, low = 0, high = LARGEST) {
    const [first, second] = this.#exactly(name, 2);
    const path = this.path(name);
    return [integer(first, path, low, high), integer(second, path, low, high)];
  }

  /** Exactly four numbers.
   * @param {string} name
   * @returns {[number, number, number, number]} */
  four(name) {
    const [a, b, c, d] = this.#exactly(name, 4).map((value) => number(value, this.path(name)));
    return [a, b, c, d];
  }

  /** Up to `longest` integers of 0 or more.
   * @param {string} name
   * @param {number} longest */
  integers(name, longest) {
    const path = this.path(name);
    return this.items(name, longest).map((value) => integer(value, path, 0));
  }

  /** Up to `longest` strings.
   * @param {string} name
   * @param {number} longest */
  texts(name, longest) {
    return this.items(name, longest).map((value) => {
      if (typeof value !== "string") throw wrong(this.path(name), "strings", value);
      return value;
    });
  }

  /** An object of counters.
   * @param {string} name
   * @returns {Record<string, number>} */
  counts(name) {
    const inner = this.inner(name);
    return Object.fromEntries(inner.#names().map((key) => [key, inner.integer(key)]));
  }

  /** An object of numbers.
   * @param {string} name
   * @returns {Record<string, number>} */
  numbers(name) {
    const inner = this.inner(name);
    return Object.fromEntries(inner.#names().map((key) => [key, inner.number(key)]));
  }

  /** All keys, which end up on terminals: drop reasons, stages, kinds. */
  #names() {
    const names = [...this.#members.keys()];
    if (names.length > MOST_NAMES)
      throw refused(this.where, `up to ${MOST_NAMES} names`, `${names.length} names`);
    for (const name of names) {
      if (!isName(name)) throw wrong(this.where, NAMES, name);
    }
    return names;
  }

  /**
   * @param {string} name
   * @param {number} count
   * @returns {Json[]}
   */
  #exactly(name, count) {
    const values = this.items(name, count);
    if (values.length === count) return values;
    throw refused(this.path(name), `${count} items`, `${values.length} items`);
  }
}

/** @param {string} text */
function isName(text) {
  return text !== "" && [...text].length <= LONGEST_NAME && isPrintable(text);
}

/** If nothing in a text would move a cursor or hide.
 * @param {string} text */
export function isPrintable(text) {
  return PRINTABLE.test(text);
}

/**
 * @param {Json} value
 * @param {string} where
 * @param {number} low
 */
function integer(value, where, low, high = LARGEST) {
  if (typeof value !== "number" && typeof value !== "bigint") {
    throw wrong(where, "an integer", value);
  }
  if (typeof value === "number" && value >= low && value <= high) return value;
  throw wrong(where, `an integer from ${low} to ${high}`, value);
}

/**
 * @param {Json} value
 * @param {string} where
 */
function number(value, where) {
  const plain = value instanceof Real ? value.value : value;
  if (typeof plain !== "number" && typeof plain !== "bigint") throw wrong(where, "a number", value);
  const isBounded = plain > -BEYOND_64_BITS && plain < BEYOND_64_BITS; // exact, also for bigints
  if (isBounded) return Number(plain);
  throw wrong(where, "a finite number", value);
}

/**
 * The error for a value of the sender's, which is shown so that it harms no terminal.
 * @param {string} where
 * @param {string} wanted
 * @param {Json} value
 */
export function wrong(where, wanted, value) {
  return refused(where, wanted, shown(value));
}

/**
 * The error for something that is told in our own words.
 * @param {string} where
 * @param {string} wanted
 * @param {string} got
 */
export function refused(where, wanted, got) {
  return new WireError({ where, wanted, got, remedy: REMEDY });
}

/**
 * A value from a stranger, short and on one line.
 * @param {Json} value
 */
export function shown(value) {
  if (Array.isArray(value)) return "an array";
  if (value instanceof Map) return "an object";
  if (value instanceof Real) return String(value.value);
  if (typeof value === "bigint" && (value > INT64_HIGH || value < INT64_LOW)) {
    return "a number of more than 64 bits";
  }
  if (typeof value !== "string") return String(value);
  const start = JSON.stringify(value.slice(0, SHOWN_CHARACTERS));
  return start.replace(/[^ -~]/gu, (odd) => `\\u{${odd.codePointAt(0)?.toString(16)}}`);
}
