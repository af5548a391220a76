/** Receive what a maskstream publishes. The protocol is docs/PROTOCOL.md of its repository. */

export { equation } from "./accounts.js";
export { decode, decodeHeader, decodeWelcome } from "./decoding.js";
export {
  AccessError,
  EndpointError,
  StreamError,
  Truncated,
  UnsupportedVersion,
  WireError,
} from "./errors.js";
export { Mask } from "./masks.js";
export { Subscriber } from "./subscriber.js";

/** @typedef {import("./accounts.js").KindStatistics} KindStatistics */
/** @typedef {import("./books.js").Statistics} Statistics */
/** @typedef {import("./decoding.js").FrameMessage} FrameMessage */
/** @typedef {import("./decoding.js").Message} Message */
/** @typedef {import("./decoding.js").StatusMessage} StatusMessage */
/** @typedef {import("./instances.js").Instance} Instance */
/** @typedef {import("./masks.js").Rle} Rle */
/** @typedef {import("./polygons.js").Polygon} Polygon */
/** @typedef {import("./requests.js").Position} Position */
/** @typedef {import("./keys.js").KeyPair} KeyPair */
/** @typedef {import("./status.js").Status} Status */
/** @typedef {import("./subscriber.js").SubscriberOptions} SubscriberOptions */
