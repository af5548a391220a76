/** Why a publisher will not deliver, as errors for the program. */
import { EndpointError } from "./errors.js";
/** What ends it: what we wanted to be, and what to do. @type {Record<string, [string, string]>} */
export declare const REFUSALS: Record<string, [string, string]>;
export declare function noDelivery(): EndpointError;
/**
 * @param {string} name
 * @param {string} error
 * @param {string} got
 */
export declare function unwelcome(name: string, error: string, got: string): EndpointError;
