/** Receive what a maskstream publishes. The protocol is docs/PROTOCOL.md of its repository. */
export { equation } from "./accounts.js";
export { decode, decodeHeader, decodeWelcome } from "./decoding.js";
export { AccessError, EndpointError, StreamError, Truncated, UnsupportedVersion, WireError, } from "./errors.js";
export { Mask } from "./masks.js";
export { Subscriber } from "./subscriber.js";
export type KindStatistics = import("./accounts.js").KindStatistics;
export type Statistics = import("./books.js").Statistics;
export type FrameMessage = import("./decoding.js").FrameMessage;
export type Message = import("./decoding.js").Message;
export type StatusMessage = import("./decoding.js").StatusMessage;
export type Instance = import("./instances.js").Instance;
export type Rle = import("./masks.js").Rle;
export type Polygon = import("./polygons.js").Polygon;
export type Position = import("./requests.js").Position;
export type KeyPair = import("./keys.js").KeyPair;
export type Status = import("./status.js").Status;
export type SubscriberOptions = import("./subscriber.js").SubscriberOptions;
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
