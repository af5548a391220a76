/** Why a publisher will not deliver, as errors for the program. */

import { EndpointError } from "./errors.js";

/** What ends it: what we wanted to be, and what to do. @type {Record<string, [string, string]>} */
export const REFUSALS = {
  name: ["a name in the publisher's publish.lossless", "Add it there, or take another mode"],
  taken: ["to be the only one of this name", "Give each lossless subscriber its own name"],
  after: [
    "to go on after a message that this publisher has sent under this name",
    "Is what was written down of another name? Correct it, or leave resumeAfter out",
  ],
};

export function noDelivery() {
  return new EndpointError({
    where: "subscriber",
    wanted: "a publisher that delivers on request",
    got: "one without a delivery socket",
    remedy: "Use the mode latest or all, or a newer publisher.",
  });
}

/**
 * @param {string} name
 * @param {string} error
 * @param {string} got
 */
export function unwelcome(name, error, got) {
  const [wanted, remedy] = REFUSALS[error];
  return new EndpointError({ where: `lossless subscriber '${name}'`, wanted, got, remedy });
}
