// The outline of a mask, as a path to fill and to stroke at any size.

import { decode } from "./rle.js";

const EAST = 0; // then south, west, north
const DX = [1, 0, -1, 0];
const DY = [0, 1, 0, -1];

/**
 * A Path2D around a mask of the wire, in px of the picture. It follows the edges between pixels
 * with the inside on its right hand, and cuts the corners through the middle of the edges, so that
 * a slanted line is one. Holes turn the other way.
 */
export function outline(mask) {
  const decoded = decode(mask);
  const path = new Path2D();
  const seen = new Uint8Array(decoded.bits.length);
  for (const place of decoded.tops) {
    if (!seen[place]) trace(path, decoded, seen, place, mask.origin);
  }
  return path;
}

/** One closed line, from the upper edge of the pixel at `start`. */
function trace(path, { bits, stride }, seen, start, [left, top]) {
  const first = corner(start, stride);
  let { x, y } = first;
  let heading = EAST;
  let moveTo = true;
  do {
    if (heading === EAST) seen[(y + 1) * stride + x + 1] = 1;
    const middleX = left + x + DX[heading] / 2;
    const middleY = top + y + DY[heading] / 2;
    x += DX[heading];
    y += DY[heading];
    const next = turn(bits, stride, x, y, heading);
    if (next !== heading) {
      if (moveTo) path.moveTo(middleX, middleY);
      else path.lineTo(middleX, middleY);
      moveTo = false;
      path.lineTo(left + x + DX[next] / 2, top + y + DY[next] / 2);
    }
    heading = next;
  } while (x !== first.x || y !== first.y || heading !== EAST);
  path.closePath();
}

/** Where the edge goes on from the corner (x, y): right where the mask ends, left where it grows. */
function turn(bits, stride, x, y, heading) {
  const below = (y + 1) * stride + x + 1; // the pixel to the lower right of the corner
  const right = [below, below - 1, below - stride - 1, below - stride][heading];
  if (!bits[right]) return (heading + 1) % 4;
  const left = [below - stride, below, below - 1, below - stride - 1][heading];
  return bits[left] ? (heading + 3) % 4 : heading;
}

/** The upper left corner of a pixel. */
function corner(place, stride) {
  return { x: (place % stride) - 1, y: Math.floor(place / stride) - 1 };
}
