/** Print what comes, a JSON line a message, and what was counted as the last one.
 *
 *     node examples/watch.js tcp://127.0.0.1:5555 '{"mode": "credit", "kinds": ["annotated"]}'
 *
 * Takes the options of Subscriber, and `slowMs`: how long to work on each message.
 */

import { setTimeout } from "node:timers/promises";

import { Subscriber } from "maskstream-client";

/** @import {FrameMessage} from "maskstream-client" */

/** @param {FrameMessage} message */
function line({
  kind,
  stream,
  epoch,
  seq,
  pseq,
  dropped,
  time,
  model,
  instances,
  picture,
  position,
}) {
  const seen = instances?.map(({ track, label, score, box, mask }) => {
    return { track, label, score, box, pixels: mask.area, coco: mask.toCoco() };
  });
  const captured = time.capturedUtcNs.toString(); // more digits than JSON's numbers keep everywhere
  return {
    kind,
    stream,
    epoch,
    seq,
    pseq,
    dropped,
    captured,
    model,
    seen,
    position,
    jpeg: picture?.data.length,
  };
}

const { slowMs, ...options } = JSON.parse(process.argv[3] ?? "{}");
const subscriber = new Subscriber(process.argv[2], {
  ...options,
  onRejected: (error) => console.error(error.message),
});
for await (const message of subscriber) {
  console.log(JSON.stringify(line(message)));
  if (slowMs) await setTimeout(slowMs);
}
console.log(JSON.stringify(subscriber.statistics()));
