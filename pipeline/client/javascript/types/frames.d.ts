/** What a header says of a frame, beside what every header has. */
import type { Fields } from "./fields.js";
import type { Instance } from "./instances.js";
import type { Model } from "./status.js";
export type ClockName = "rtcp" | "arrival" | "media";
export type Time = {
    /**
     * in units of `timeBase` seconds
     */
    pts: bigint | null;
    /**
     * numerator, denominator
     */
    timeBase: [number, number];
    /**
     * `pts` in seconds, for reading
     */
    mediaS: number | null;
    /**
     * since 1970-01-01 UTC, by `clock`
     */
    capturedUtcNs: bigint;
    clock: ClockName;
    /**
     * how long each stage held the frame
     */
    stagesMs: Record<string, number>;
};
export type Image = {
    width: number;
    height: number;
    sampleAspect: [number, number];
};
export type Picture = {
    format: "jpeg";
    width: number;
    height: number;
    data: Buffer;
};
export type FrameFields = {
    epoch: number;
    /**
     * number of the captured frame in its epoch
     */
    seq: number;
    /**
     * frames of this epoch that were not published, by reason
     */
    dropped: Record<string, number>;
    time: Time;
    /**
     * what boxes and masks refer to
     */
    image: Image | null;
    /**
     * with the class names that are known so far
     */
    model: Model | null;
    /**
     * null: the frame was not segmented
     */
    instances: Instance[] | null;
    /**
     * ids of tracks that ended with this frame
     */
    ended: number[];
    /**
     * the JPEG file, with the kinds annotated and image
     */
    picture: Picture | null;
    /**
     * with the modes credit and lossless
     */
    position: import("./requests.js").Position | null;
};
/**
 * @param {Fields} fields
 * @param {Buffer | null} jpeg
 * @returns {FrameFields}
 * @throws {import("./errors.js").WireError} for a missing or wrong field
 */
export declare function frameOf(fields: Fields, jpeg: Buffer | null): FrameFields;
