/** JSON from a stranger, read strictly. `JSON.parse` will not do: it rounds integers above 2^53,
 * takes 3.0 for an integer, and lets a key `__proto__` and any depth through. */

/** How deep arrays and objects may lie in one another. */
export const DEEPEST = 64;
/** Numbers, strings, arrays, objects … in one text: a bound on the memory that it can cost. */
export const MOST_VALUES = 1_000_000;
const LONGEST_NUMBER = 1_000;

const NUMBER = /-?(?:0|[1-9][0-9]*)((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/y;
const PLAIN = /[^"\\\x00-\x1f]*/y;
const SPACE = /[ \t\n\r]*/y;
const FOUR_HEX = /[0-9a-fA-F]{4}/y;
/** @type {ReadonlyMap<string, string>} */
const ESCAPES = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);
/** @type {ReadonlyArray<[string, Json]>} */
const WORDS = [
  ["true", true],
  ["false", false],
  ["null", null],
];

/** A number that was written with a fraction or an exponent, and so is no integer. */
export class Real {
  /** @param {number} value */
  constructor(value) {
    this.value = value;
  }
}

/**
 * @typedef {null | boolean | number | bigint | Real | string | Json[] | JsonObject} Json
 * An integer is a bigint where a number would round it. Objects are maps.
 */
/** @typedef {Map<string, Json>} JsonObject */

/**
 * Read one JSON value.
 *
 * @param {string} text
 * @returns {Json}
 * @throws {SyntaxError} when it is none, or too deep, or too much
 */
export function parseJson(text) {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Reader {
  #text;
  #at = 0;
  #values = 0;

  /** @param {string} text */
  constructor(text) {
    this.#text = text;
  }

  /**
   * @param {number} depth
   * @returns {Json}
   */
  value(depth) {
    if (++this.#values > MOST_VALUES) throw this.#wrong(`more than ${MOST_VALUES} values`);
    if (depth > DEEPEST) throw this.#wrong(`more than ${DEEPEST} levels`);
    this.#match(SPACE);
    switch (this.#text[this.#at]) {
      case '"':
        return this.#string();
      case "{":
        return this.#object(depth + 1);
      case "[":
        return this.#array(depth + 1);
      default:
        return this.#number() ?? this.#word();
    }
  }

  end() {
    this.#match(SPACE);
    if (this.#at < this.#text.length) throw this.#wrong("more after the end");
  }

  /**
   * @param {number} depth
   * @returns {JsonObject}
   */
  #object(depth) {
    /** @type {JsonObject} */
    const members = new Map();
    this.#at++;
    for (let more = !this.#take("}"); more; more = this.#another("}")) {
      this.#match(SPACE);
      if (this.#text[this.#at] !== '"') throw this.#wrong("no name");
      const name = this.#string();
      if (!this.#take(":")) throw this.#wrong("no colon");
      members.set(name, this.value(depth));
    }
    return members;
  }

  /**
   * @param {number} depth
   * @returns {Json[]}
   */
  #array(depth) {
    const items = [];
    this.#at++;
    for (let more = !this.#take("]"); more; more = this.#another("]")) {
      items.push(this.value(depth));
    }
    return items;
  }

  /** @returns {string} */
  #string() {
    this.#at++;
    let text = this.#match(PLAIN);
    while (this.#text[this.#at] === "\\") {
      text += this.#escape() + this.#match(PLAIN);
    }
    if (this.#text[this.#at] !== '"') throw this.#wrong("a string that does not end");
    this.#at++;
    return text;
  }

  /** @returns {string} */
  #escape() {
    const letter = this.#text[this.#at + 1] ?? "";
    this.#at += 2;
    const character = ESCAPES.get(letter);
    if (character !== undefined) return character;
    const digits = letter === "u" ? this.#match(FOUR_HEX) : "";
    if (digits === "") throw this.#wrong("an unknown escape");
    return String.fromCharCode(parseInt(digits, 16));
  }

  /** @returns {number | bigint | Real | null} */
  #number() {
    NUMBER.lastIndex = this.#at;
    const found = NUMBER.exec(this.#text);
    if (found === null) return null;
    this.#at = NUMBER.lastIndex;
    const [digits, rest] = found;
    if (rest !== "") return new Real(Number(digits));
    if (digits.length > LONGEST_NUMBER) throw this.#wrong("a number without end");
    const number = Number(digits);
    return Number.isSafeInteger(number) ? number + 0 : BigInt(digits); // -0 + 0 is 0
  }

  /** @returns {Json} */
  #word() {
    for (const [word, value] of WORDS) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    throw this.#wrong("no value");
  }

  /**
   * @param {string} character
   * @returns {boolean}
   */
  #take(character) {
    this.#match(SPACE);
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  /**
   * @param {string} closing
   * @returns {boolean}
   */
  #another(closing) {
    if (this.#take(",")) return true;
    if (this.#take(closing)) return false;
    throw this.#wrong(`neither a comma nor ${closing}`);
  }

  /**
   * @param {RegExp} sticky
   * @returns {string}
   */
  #match(sticky) {
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#text);
    if (found === null) return "";
    this.#at = sticky.lastIndex;
    return found[0];
  }

  /** @param {string} what */
  #wrong(what) {
    return new SyntaxError(`${what} at character ${this.#at}`);
  }
}
