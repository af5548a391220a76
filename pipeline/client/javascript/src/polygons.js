/** The outline of a bit mask, exactly: polygons along the edges of its pixels. docs/PROTOCOL.md,
 * "Polygons", has the rules by which every client gets the same ones in the same order. */

/** A corner of pixels, px: whole numbers. @typedef {[number, number]} Corner */
/**
 * One connected piece of a mask; pixels that touch at a corner only are two pieces. `outer`: its
 * corners, clockwise as seen on a screen. `holes`: the same for each, counter-clockwise. No ring
 * repeats its first corner at its end.
 *
 * @typedef {{outer: Corner[], holes: Corner[][]}} Polygon
 */

const EAST = 0;
const SOUTH = 1;
const NORTH = 3;
/** One step in each direction, and the pixels ahead of a corner: on the right hand, on the left. */
const STEPS = [
  { dx: 1, dy: 0, right: [0, 0], left: [0, -1] },
  { dx: 0, dy: 1, right: [-1, 0], left: [0, 0] },
  { dx: -1, dy: 0, right: [-1, -1], left: [-1, 0] },
  { dx: 0, dy: -1, right: [0, -1], left: [-1, -1] },
];

/**
 * The polygons of a mask, by their upper left corners: top down, then left to right.
 *
 * @param {Uint8Array} bits row by row, 1 inside
 * @param {number} width
 * @param {number} height
 * @param {Corner} origin where the mask's upper left corner lies
 * @returns {Polygon[]}
 */
export function outlines(bits, width, height, origin = [0, 0]) {
  return new Tracer(bits, width, height, origin).polygons();
}

class Tracer {
  /** @type {Polygon[]} */
  #pieces = [];
  #bits;
  #width;
  #height;
  #origin;
  /** Piece + 1 of the outline at each pixel's left edge. */
  #pieceAt;
  /** If the level edge above each pixel, or below the last row, has been walked. */
  #walked;

  /**
   * @param {Uint8Array} bits
   * @param {number} width
   * @param {number} height
   * @param {Corner} origin
   */
  constructor(bits, width, height, origin) {
    this.#bits = bits;
    this.#width = width;
    this.#height = height;
    this.#origin = origin;
    this.#pieceAt = new Int32Array(width * height);
    this.#walked = new Uint8Array(width * (height + 1));
  }

  polygons() {
    for (let y = 0; y < this.#height; y++) {
      for (let x = 0; x < this.#width; x++) {
        const inside = this.#inside(x, y);
        if (inside === this.#inside(x, y - 1) || this.#walked[y * this.#width + x] === 1) continue;
        if (inside) this.#addPiece(x, y);
        else this.#addHole(x, y);
      }
    }
    return this.#pieces;
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #addPiece(x, y) {
    const piece = { outer: /** @type {Corner[]} */ ([]), holes: [] };
    this.#pieces.push(piece);
    piece.outer = this.#walk(x, y, EAST, this.#pieces.length);
  }

  /**
   * A hole is in the piece whose edge is the nearest to its left: an outline or a hole.
   * @param {number} x
   * @param {number} y
   */
  #addHole(x, y) {
    let edge = x - 1;
    while (this.#inside(edge - 1, y)) edge--;
    const piece = this.#pieceAt[y * this.#width + edge];
    this.#pieces[piece - 1].holes.push(this.#walk(x, y, SOUTH, piece));
  }

  /**
   * Once around, with the mask on the right hand. Where two pixels touch at a corner only, the way
   * stays with its own.
   *
   * @param {number} startX
   * @param {number} startY
   * @param {number} start the direction of the first edge
   * @param {number} piece
   * @returns {Corner[]}
   */
  #walk(startX, startY, start, piece) {
    const [originX, originY] = this.#origin;
    /** @type {Corner[]} */
    const ring = [[startX + originX, startY + originY]];
    let [x, y, heading] = [startX, startY, start];
    for (;;) {
      this.#mark(x, y, heading, piece);
      x += STEPS[heading].dx;
      y += STEPS[heading].dy;
      const turned = this.#turn(x, y, heading);
      if (x === startX && y === startY && turned === start) return ring;
      if (turned !== heading) ring.push([x + originX, y + originY]);
      heading = turned;
    }
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} heading
   */
  #turn(x, y, heading) {
    const { right, left } = STEPS[heading];
    if (!this.#inside(x + right[0], y + right[1])) return (heading + 1) % 4;
    return this.#inside(x + left[0], y + left[1]) ? (heading + 3) % 4 : heading;
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} heading
   * @param {number} piece
   */
  #mark(x, y, heading, piece) {
    if (heading === NORTH) this.#pieceAt[(y - 1) * this.#width + x] = piece;
    else if (heading !== SOUTH) this.#walked[y * this.#width + (heading === EAST ? x : x - 1)] = 1;
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #inside(x, y) {
    const within = x >= 0 && y >= 0 && x < this.#width && y < this.#height;
    return within && this.#bits[y * this.#width + x] === 1;
  }
}
