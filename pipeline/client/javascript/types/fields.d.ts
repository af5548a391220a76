/** Taking typed values out of a JSON object that somebody else wrote. What is not asked for is
 * ignored: fields may be added to the protocol at any time. */
import { WireError } from "./errors.js";
import type { Json } from "./json.js";
/** @import {Json, JsonObject} from "./json.js" */
export declare const REMEDY = "The sender does not speak this protocol, or the message was damaged.";
/** Of drop reasons, stages or kinds in one object. */
export declare const MOST_NAMES = 100;
/** One JSON object and the path to it, for messages. All methods throw WireError. */
export declare class Fields {
    #private;
    where: string;
    /**
     * @param {Json} value
     * @param {string} where
     */
    constructor(value: Json, where: string);
    /**
     * @param {string} name
     * @returns {Json}
     */
    take(name: string): Json;
    /** If a field that may be left out is there.
     * @param {string} name */
    has(name: string): boolean;
    /** If a field that must be there is not null.
     * @param {string} name */
    known(name: string): boolean;
    /** @param {string} name */
    path(name: string): string;
    /** @param {string} name */
    inner(name: string): Fields;
    /** @param {string} name */
    text(name: string): string;
    /** A string that ends up on terminals and as a key in tables.
     * @param {string} name */
    name(name: string): string;
    /** A counter, an id or a size: a number holds it exactly.
     * @param {string} name */
    integer(name: string, low?: number, high?: number): number;
    /** A time: an integer of 64 bits, exactly.
     * @param {string} name */
    integer64(name: string): bigint;
    /** @param {string} name */
    number(name: string): number;
    /**
     * @param {string} name
     * @param {number} longest
     */
    items(name: string, longest: number): Json[];
    /** Exactly two integers.
     * @param {string} name
     * @returns {[number, number]} */
    pair(name: string, low?: number, high?: number): [number, number];
    /** Exactly four numbers.
     * @param {string} name
     * @returns {[number, number, number, number]} */
    four(name: string): [number, number, number, number];
    /** Up to `longest` integers of 0 or more.
     * @param {string} name
     * @param {number} longest */
    integers(name: string, longest: number): number[];
    /** Up to `longest` strings.
     * @param {string} name
     * @param {number} longest */
    texts(name: string, longest: number): string[];
    /** An object of counters.
     * @param {string} name
     * @returns {Record<string, number>} */
    counts(name: string): Record<string, number>;
    /** An object of numbers.
     * @param {string} name
     * @returns {Record<string, number>} */
    numbers(name: string): Record<string, number>;
}
/** If nothing in a text would move a cursor or hide.
 * @param {string} text */
export declare function isPrintable(text: string): boolean;
/**
 * The error for a value of the sender's, which is shown so that it harms no terminal.
 * @param {string} where
 * @param {string} wanted
 * @param {Json} value
 */
export declare function wrong(where: string, wanted: string, value: Json): WireError;
/**
 * The error for something that is told in our own words.
 * @param {string} where
 * @param {string} wanted
 * @param {string} got
 */
export declare function refused(where: string, wanted: string, got: string): WireError;
/**
 * A value from a stranger, short and on one line.
 * @param {Json} value
 */
export declare function shown(value: Json): string;
