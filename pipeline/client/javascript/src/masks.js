/** One instance's mask: a rectangle of bits that lies somewhere in a picture. */

import { decodeCounts, encodeCounts } from "./counts.js";
import { outlines } from "./polygons.js";

/**
 * COCO's run-length mask; `size` is [height, width].
 * @typedef {{size: [number, number], counts: string}} Rle
 */
/** @typedef {{width: number, height: number}} Size */

/** A mask, kept as the run lengths of its crop; pixels are made when they are asked for. */
export class Mask {
  #runs;

  /**
   * @param {Size} picture what the crop lies in
   * @param {[number, number]} origin x, y of the crop's upper left pixel
   * @param {Rle} rle of the crop
   * @param {string} where for messages
   * @throws {import("./errors.js").WireError} unless the runs fill the crop exactly
   */
  constructor(picture, [x, y], { size: [height, width], counts }, where = "mask") {
    this.picture = picture;
    this.x = x;
    this.y = y;
    this.width = width;
    this.height = height;
    this.#runs = decodeCounts(counts, height * width, where);
  }

  /** Pixels inside. */
  get area() {
    return this.#runs.reduce((sum, run, i) => sum + (i % 2 === 1 ? run : 0), 0);
  }

  /** The crop's own RLE, as the wire carries it. @returns {Rle} */
  get rle() {
    return { size: [this.height, this.width], counts: encodeCounts(this.#runs) };
  }

  /** The crop's pixels, row by row: `width` × `height` bytes, 1 inside. */
  bits() {
    return this.#paint(new Uint8Array(this.width * this.height), this.width, 0);
  }

  /** The mask at the picture's size, row by row: 1 inside. */
  dense() {
    const { width, height } = this.picture;
    return this.#paint(new Uint8Array(width * height), width, this.y * width + this.x);
  }

  /** The mask at the picture's size as COCO RLE, the bytes that pycocotools would give.
   * @returns {Rle} */
  toCoco() {
    const { width, height } = this.picture;
    const runs = new Runs();
    let gap = this.x * height + this.y; // from the column before to this one
    for (const [, length, inside, lastOfColumn] of this.#strips()) {
      runs.add(gap, false);
      runs.add(length, inside);
      gap = lastOfColumn ? height - this.height : 0;
    }
    runs.add(width * height - runs.total, false);
    return { size: [height, width], counts: encodeCounts(runs.lengths) };
  }

  /** The mask as polygons along the edges of its pixels, holes and all: exact, in px of the
   * picture. An empty mask has none. */
  polygons() {
    return outlines(this.bits(), this.width, this.height, [this.x, this.y]);
  }

  /**
   * @param {Uint8Array} canvas zeros, `stride` bytes a row
   * @param {number} stride
   * @param {number} start of the crop's first pixel
   */
  #paint(canvas, stride, start) {
    for (const [at, length, inside] of this.#strips()) {
      if (!inside) continue;
      const column = Math.floor(at / this.height);
      let index = start + column + (at % this.height) * stride;
      for (let i = 0; i < length; i++, index += stride) canvas[index] = 1;
    }
    return canvas;
  }

  /**
   * The runs, cut where a column of the crop ends: where it begins in the crop (down the columns),
   * its length, whether it is inside, whether it ends its column.
   * @returns {Generator<[number, number, boolean, boolean]>}
   */
  *#strips() {
    let at = 0;
    for (const [i, run] of this.#runs.entries()) {
      for (let left = run; left > 0;) {
        const room = this.height - (at % this.height);
        const length = Math.min(left, room);
        yield [at, length, i % 2 === 1, length === room];
        at += length;
        left -= length;
      }
    }
  }
}

/** Runs under way: neighbours of one kind become one; the first is outside. */
class Runs {
  /** @type {number[]} */
  lengths = [0];
  total = 0;

  /**
   * @param {number} length
   * @param {boolean} inside
   */
  add(length, inside) {
    if (length === 0) return;
    this.total += length;
    const last = this.lengths.length - 1;
    if ((last % 2 === 1) === inside) this.lengths[last] += length;
    else this.lengths.push(length);
  }
}
