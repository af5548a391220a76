/** One instance's mask: a rectangle of bits that lies somewhere in a picture. */
export type Rle = {
    size: [number, number];
    counts: string;
};
export type Size = {
    width: number;
    height: number;
};
/**
 * COCO's run-length mask; `size` is [height, width].
 * @typedef {{size: [number, number], counts: string}} Rle
 */
/** @typedef {{width: number, height: number}} Size */
/** A mask, kept as the run lengths of its crop; pixels are made when they are asked for. */
export declare class Mask {
    #private;
    picture: Size;
    x: number;
    y: number;
    width: number;
    height: number;
    /**
     * @param {Size} picture what the crop lies in
     * @param {[number, number]} origin x, y of the crop's upper left pixel
     * @param {Rle} rle of the crop
     * @param {string} where for messages
     * @throws {import("./errors.js").WireError} unless the runs fill the crop exactly
     */
    constructor(picture: Size, [x, y]: [number, number], { size: [height, width], counts }: Rle, where?: string);
    /** Pixels inside. */
    get area(): number;
    /** The crop's own RLE, as the wire carries it. @returns {Rle} */
    get rle(): Rle;
    /** The crop's pixels, row by row: `width` × `height` bytes, 1 inside. */
    bits(): Uint8Array<ArrayBufferLike>;
    /** The mask at the picture's size, row by row: 1 inside. */
    dense(): Uint8Array<ArrayBufferLike>;
    /** The mask at the picture's size as COCO RLE, the bytes that pycocotools would give.
     * @returns {Rle} */
    toCoco(): Rle;
    /** The mask as polygons along the edges of its pixels, holes and all: exact, in px of the
     * picture. An empty mask has none. */
    polygons(): import("./polygons.js").Polygon[];
}
