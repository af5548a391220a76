/** The outline of a bit mask, exactly: polygons along the edges of its pixels. docs/PROTOCOL.md,
 * "Polygons", has the rules by which every client gets the same ones in the same order. */
export type Corner = [number, number];
export type Polygon = {
    outer: Corner[];
    holes: Corner[][];
};
/**
 * The polygons of a mask, by their upper left corners: top down, then left to right.
 *
 * @param {Uint8Array} bits row by row, 1 inside
 * @param {number} width
 * @param {number} height
 * @param {Corner} origin where the mask's upper left corner lies
 * @returns {Polygon[]}
 */
export declare function outlines(bits: Uint8Array, width: number, height: number, origin?: Corner): Polygon[];
