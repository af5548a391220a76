/** What a subscriber got and what not, and whose fault it was: one account a stream and kind. */

/** @import {Envelope} from "./decoding.js" */

/**
 * Messages of one stream and kind, since the subscriber began.
 *
 * `received` = `delivered` + `skipped` + `waiting`: given to the program, thrown away because the
 * program was slower, and neither yet. `passedOver`: not sent by the publisher, for want of credit.
 * `lost`: published but never received. `dropped`: frames that the pipeline did not publish, by
 * reason. `captured`: frames that the source took from the first received one to the last. For the
 * kind `meta`: captured = received + passedOver + lost + Σ dropped. (Where a publisher dies, or
 * messages are lost just at a change of epoch, what only they would have told is missing.)
 *
 * @typedef {object} KindStatistics
 * @property {string} stream
 * @property {import("./topics.js").FrameKind} kind
 * @property {number} received
 * @property {number} delivered
 * @property {number} skipped
 * @property {number} waiting
 * @property {number} passedOver
 * @property {number} lost
 * @property {number} captured
 * @property {Record<string, number>} dropped
 */

/** The books of one stream and kind. */
export class Account {
  publisher = "";
  nextPseq = 0;
  delivered = 0;
  skipped = 0;
  #received = 0;
  #passedOver = 0;
  #lost = 0;
  #captured = 0;
  /** @type {Record<string, number>} */
  #dropped = {};
  /** @type {string | null} publisher and epoch */
  #run = null;
  #seq = 0;
  /** Drops of this epoch that are in the books. @type {Record<string, number>} */
  #told = {};
  /** What this subscription was passed over, so far. */
  #request = { session: -1, skipped: 0 };

  /**
   * A message came. `skipped`: what the publisher says that it has passed over of this stream and
   * kind since the request number `session`.
   *
   * @param {Envelope} envelope
   * @throws {import("./errors.js").WireError} when its counters are missing; the books are as
   *   before then
   */
  enter({ publisher, pseq, fields }, request = { session: 0, skipped: 0 }) {
    const epoch = fields.integer("epoch");
    const seq = fields.integer("seq");
    const dropped = fields.counts("dropped");
    this.#measureGap(publisher, pseq, request);
    this.#advance(publisher, epoch, seq, dropped);
    this.publisher = publisher;
    this.nextPseq = pseq + 1;
    this.#received++;
  }

  /**
   * The publisher has ended after so many messages: what did not come is lost.
   * @param {string} publisher
   * @param {number} messages
   */
  end(publisher, messages) {
    const missing = messages - this.nextPseq;
    if (publisher !== this.publisher || missing <= 0) return;
    this.#lost += missing;
    this.#captured += missing;
    this.nextPseq = messages;
  }

  statistics() {
    return {
      received: this.#received,
      delivered: this.delivered,
      skipped: this.skipped,
      waiting: this.#received - this.delivered - this.skipped,
      passedOver: this.#passedOver,
      lost: this.#lost,
      captured: this.#captured,
      dropped: { ...this.#dropped },
    };
  }

  /**
   * @param {string} publisher
   * @param {number} pseq
   * @param {{session: number, skipped: number}} request
   */
  #measureGap(publisher, pseq, request) {
    const before = this.#request.session === request.session ? this.#request.skipped : 0;
    this.#request = request;
    if (publisher !== this.publisher) return;
    const gap = Math.max(0, pseq - this.nextPseq);
    const passedOver = Math.min(gap, Math.max(0, request.skipped - before));
    this.#passedOver += passedOver;
    this.#lost += gap - passedOver;
  }

  /**
   * What was captured and dropped since the last message; at the start, from this one on.
   * @param {string} publisher
   * @param {number} epoch
   * @param {number} seq
   * @param {Record<string, number>} dropped
   */
  #advance(publisher, epoch, seq, dropped) {
    const run = `${publisher}/${epoch}`;
    if (publisher !== this.publisher) [this.#told, this.#seq] = [dropped, seq - 1];
    else if (run !== this.#run) [this.#told, this.#seq] = [{}, -1];
    this.#captured += Math.max(0, seq - this.#seq);
    for (const [reason, count] of Object.entries(dropped)) {
      const more = Math.max(0, count - (this.#told[reason] ?? 0));
      if (more > 0) this.#dropped[reason] = (this.#dropped[reason] ?? 0) + more;
    }
    [this.#run, this.#seq, this.#told] = [run, seq, dropped];
  }
}
