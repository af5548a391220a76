/** Between the sockets and the program that iterates: what waits, and what gives way. */
import type { Envelope } from "./decoding.js";
export type Mode = "latest" | "all" | "credit" | "lossless";
export type Letter = {
    envelope: Envelope;
    parts: readonly Buffer[];
    number?: number;
    done?: () => void;
};
/** @import {Envelope} from "./decoding.js" */
/** @typedef {"latest" | "all" | "credit" | "lossless"} Mode */
/**
 * A received message whose envelope was opened and whose contents were not. When it was asked for,
 * it has a `number`, and `done` is called when the program has finished with it.
 * @typedef {{envelope: Envelope, parts: readonly Buffer[], number?: number, done?: () => void}} Letter
 */
/**
 * Messages for one reader. `latest`: one place per stream and kind, a newer message takes that of
 * an older. Otherwise up to `capacity` messages in their order, then the oldest gives way, which in
 * `credit` is one from before the last hello; in `lossless` no more come than were asked for.
 */
export declare class Mailbox {
    #private;
    /**
     * @param {Mode} mode
     * @param {number} capacity
     */
    constructor(mode: Mode, capacity: number);
    /**
     * Leave a message; what had to give way comes back.
     * @param {Letter} letter
     * @returns {Letter | null}
     */
    put(letter: Letter): Letter | null;
    /**
     * The message that waits longest; null when none came in time or at the end.
     * @param {number | null} timeoutMs
     * @returns {Promise<Letter | null>}
     * @throws what receiving ended with, once all is taken
     */
    take(timeoutMs: number | null): Promise<Letter | null>;
    /** Nothing more will be put.
     * @param {unknown} error */
    finish(error?: unknown): void;
    /** If nothing will come and nothing waits, not even an error. */
    get finished(): boolean;
}
