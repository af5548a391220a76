// COCO's compressed run lengths, as docs/PROTOCOL.md, section 6, describes them.

/** Runs in px, outside and inside in turn, from the characters of `counts`. */
export function runLengths(counts) {
  const runs = [];
  let number = 0;
  let shift = 0;
  for (let i = 0; i < counts.length; i++) {
    const bits = counts.charCodeAt(i) - 48;
    number |= (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    if (bits & 16) number -= 2 ** shift;
    runs.push(number + (runs.length > 2 ? runs[runs.length - 2] : 0));
    number = shift = 0;
  }
  return runs;
}

/**
 * A mask as rows of 0 and 1 with a rim of 0 around it: `stride` bytes a row, the first pixel at
 * stride + 1. `tops`: the places of pixels with nothing above them, where outlines begin.
 */
export function decode({ size: [height, width], counts }) {
  const stride = width + 2;
  const bits = new Uint8Array(stride * (height + 2));
  const tops = [];
  let at = 0;
  runLengths(counts).forEach((run, index) => {
    const end = Math.min(at + run, height * width);
    if (index % 2) fill(bits, tops, at, end, height, stride);
    at = end;
  });
  return { bits, stride, width, height, tops };
}

/** Set the pixels `at` to `end`, counted down the columns. */
function fill(bits, tops, at, end, height, stride) {
  while (at < end) {
    const x = Math.floor(at / height);
    const last = Math.min(end, (x + 1) * height);
    let place = (at - x * height + 1) * stride + x + 1;
    tops.push(place);
    for (; at < last; at++, place += stride) bits[place] = 1;
  }
}
