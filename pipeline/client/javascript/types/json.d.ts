/** JSON from a stranger, read strictly. `JSON.parse` will not do: it rounds integers above 2^53,
 * takes 3.0 for an integer, and lets a key `__proto__` and any depth through. */
/** How deep arrays and objects may lie in one another. */
export declare const DEEPEST = 64;
/** Numbers, strings, arrays, objects … in one text: a bound on the memory that it can cost. */
export declare const MOST_VALUES = 1000000;
/** A number that was written with a fraction or an exponent, and so is no integer. */
export declare class Real {
    value: number;
    /** @param {number} value */
    constructor(value: number);
}
export type Json = null | boolean | number | bigint | Real | string | Json[] | JsonObject;
export type JsonObject = Map<string, Json>;
/**
 * @typedef {null | boolean | number | bigint | Real | string | Json[] | JsonObject} Json
 * An integer is a bigint where a number would round it. Objects are maps.
 */
/** @typedef {Map<string, Json>} JsonObject */
/**
 * Read one JSON value.
 *
 * @param {string} text
 * @returns {Json}
 * @throws {SyntaxError} when it is none, or too deep, or too much
 */
export declare function parseJson(text: string): Json;
