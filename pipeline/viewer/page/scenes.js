// From bytes to something to draw. Of each stream one picture is decoded at a time.

import { outline } from "./outline.js";
import { trackColour } from "./palette.js";
import { keyOf } from "./store.js";
import { short } from "./words.js";

const decoder = new TextDecoder();

/**
 * A scene is a picture with what was found in it:
 * { stream, epoch, seq, width, height, aspect, bitmap or null, things, captured }.
 * A thing: { key or null, track, state, label, score, box, area, colour, path }.
 */
export class Scenes {
  #busy = new Map(); // stream → the newest that waits for its turn, or null

  /** `show` gets scenes; `skip` the names of streams whose picture gave way to a newer one. */
  constructor(show, skip) {
    this.show = show;
    this.skip = skip;
  }

  /** A message of the server: the header's length, header, JPEG. */
  take(buffer) {
    const length = new DataView(buffer).getUint32(0);
    const header = JSON.parse(decoder.decode(new Uint8Array(buffer, 4, length)));
    const jpeg = new Uint8Array(buffer, 4 + length);
    const waiting = this.#busy.get(header.stream);
    if (waiting === undefined) this.#make(header, jpeg);
    else {
      if (waiting) this.skip(header.stream);
      this.#busy.set(header.stream, { header, jpeg });
    }
  }

  async #make(header, jpeg) {
    this.#busy.set(header.stream, null);
    const bitmap = await decoded(jpeg);
    this.show(sceneOf(header, bitmap));
    const next = this.#busy.get(header.stream);
    this.#busy.delete(header.stream);
    if (next) this.#make(next.header, next.jpeg);
  }
}

/** Null for a record without a picture, and for one that this browser cannot read. */
async function decoded(jpeg) {
  if (!jpeg.length) return null;
  try {
    return await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
  } catch {
    return null;
  }
}

function sceneOf(header, bitmap) {
  const { stream, epoch, seq, image, picture, instances } = header;
  const { width, height, sar } = image ?? picture ?? { width: 16, height: 9 };
  const things = (instances ?? []).map((found) => thingOf(found, stream, epoch));
  things.sort((a, b) => b.area - a.area); // small ones in front
  const aspect = (width * (sar ? sar[0] / sar[1] : 1)) / height;
  return { stream, epoch, seq, width, height, aspect, bitmap, things, captured: header.time.captured_utc_ns / 1e6 };
}

function thingOf(found, stream, epoch) {
  const { track, state, score, box, area, mask } = found;
  return {
    key: track === null ? null : keyOf(stream, epoch, track),
    track, state, score, box, area,
    label: short(found.label ?? `class ${found.class}`),
    colour: trackColour(track),
    path: outline(mask),
  };
}
