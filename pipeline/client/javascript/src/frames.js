/** What a header says of a frame, beside what every header has. */

import { wrong } from "./fields.js";
import { LONGEST_SIDE_PX, MOST_INSTANCES, instancesOf } from "./instances.js";

/** @import {Fields} from "./fields.js" */
/** @import {Instance} from "./instances.js" */
/** @import {Model} from "./status.js" */

/** @typedef {"rtcp" | "arrival" | "media"} ClockName */
/**
 * @typedef {object} Time
 * @property {bigint | null} pts in units of `timeBase` seconds
 * @property {[number, number]} timeBase numerator, denominator
 * @property {number | null} mediaS `pts` in seconds, for reading
 * @property {bigint} capturedUtcNs since 1970-01-01 UTC, by `clock`
 * @property {ClockName} clock
 * @property {Record<string, number>} stagesMs how long each stage held the frame
 */
/** The source's picture. `sampleAspect`: width and height of one pixel as shown.
 * @typedef {{width: number, height: number, sampleAspect: [number, number]}} Image */
/** @typedef {{format: "jpeg", width: number, height: number, data: Buffer}} Picture */
/**
 * What a message says of one frame.
 *
 * @typedef {object} FrameFields
 * @property {number} epoch
 * @property {number} seq number of the captured frame in its epoch
 * @property {Record<string, number>} dropped frames of this epoch that were not published, by reason
 * @property {Time} time
 * @property {Image | null} image what boxes and masks refer to
 * @property {Model | null} model with the class names that are known so far
 * @property {Instance[] | null} instances null: the frame was not segmented
 * @property {number[]} ended ids of tracks that ended with this frame
 * @property {Picture | null} picture the JPEG file, with the kinds annotated and image
 * @property {import("./requests.js").Position | null} position with the modes credit and lossless
 */
/** @type {readonly ClockName[]} */
const CLOCKS = ["rtcp", "arrival", "media"];

/**
 * @param {Fields} fields
 * @param {Buffer | null} jpeg
 * @returns {FrameFields}
 * @throws {import("./errors.js").WireError} for a missing or wrong field
 */
export function frameOf(fields, jpeg) {
  const image = imageOf(fields);
  const instances = instancesOf(fields, image);
  return {
    epoch: fields.integer("epoch"),
    seq: fields.integer("seq"),
    dropped: fields.counts("dropped"),
    time: timeOf(fields.inner("time")),
    image,
    model: modelOf(fields, instances ?? []),
    instances,
    ended: fields.integers("ended", MOST_INSTANCES),
    picture: jpeg === null ? null : pictureOf(fields.inner("picture"), jpeg, image),
    position: null,
  };
}

/** @param {Fields} time @returns {Time} */
function timeOf(time) {
  if (time.known("media_s")) time.number("media_s"); // for people, but a number it must be
  const pts = time.known("pts") ? time.integer64("pts") : null;
  const timeBase = time.pair("time_base", 1);
  const text = time.text("clock");
  const clock = CLOCKS.find((name) => name === text);
  if (clock === undefined) throw wrong(time.path("clock"), `one of ${CLOCKS.join(", ")}`, text);
  return {
    pts,
    timeBase,
    mediaS: pts === null ? null : (Number(pts) * timeBase[0]) / timeBase[1],
    capturedUtcNs: time.integer64("captured_utc_ns"),
    clock,
    stagesMs: time.numbers("stages_ms"),
  };
}

/** @param {Fields} fields @returns {Image | null} */
function imageOf(fields) {
  if (!fields.known("image")) return null;
  const image = fields.inner("image");
  return {
    width: image.integer("width", 1, LONGEST_SIDE_PX),
    height: image.integer("height", 1, LONGEST_SIDE_PX),
    sampleAspect: image.has("sar") ? image.pair("sar", 1) : [1, 1],
  };
}

/**
 * The model of a header. Of its class names those that the instances mention, else "".
 *
 * @param {Fields} fields
 * @param {Instance[]} instances
 * @returns {Model | null}
 */
function modelOf(fields, instances) {
  if (fields.take("model") === null) return null;
  const model = fields.inner("model");
  /** @type {string[]} */
  const classes = [];
  for (const instance of instances) {
    if (instance.label !== null) classes[instance.class] = instance.label;
  }
  return {
    name: model.text("name"),
    weights: model.text("weights"),
    classes: Array.from(classes, (name) => name ?? ""),
  };
}

/**
 * @param {Fields} picture
 * @param {Buffer} data
 * @param {Image | null} image
 * @returns {Picture}
 */
function pictureOf(picture, data, image) {
  if (image === null) throw wrong("header.image", "an object", null);
  const format = picture.text("format");
  if (format !== "jpeg") throw wrong(picture.path("format"), "jpeg", format);
  const width = picture.integer("width", 1, LONGEST_SIDE_PX);
  return { format, width, height: picture.integer("height", 1, LONGEST_SIDE_PX), data };
}
