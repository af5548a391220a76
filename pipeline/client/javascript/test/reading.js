/** Where the vectors of tests/data/wire lie, and how they are written. */

import { readFileSync } from "node:fs";

const FOLDER = new URL("../../../../tests/data/wire/", import.meta.url);

/** Some bytes, perhaps many times. @typedef {string | {base64: string, times: number}} Part */

/**
 * The lines of a file.
 * @param {string} name
 * @returns {any[]}
 */
export function read(name) {
  const lines = readFileSync(new URL(name, FOLDER), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line));
}

/** @param {Part} part */
export function bytesOf(part) {
  if (typeof part === "string") return Buffer.from(part, "base64");
  const piece = Buffer.from(part.base64, "base64");
  return Buffer.alloc(piece.length * part.times, piece);
}
