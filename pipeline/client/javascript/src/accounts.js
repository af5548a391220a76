/** What a subscriber got and what not, and whose fault it was: one account a stream and kind. */

import { minus, plus, total } from "./counter.js";

/** @import {Counts} from "./counter.js" */
/** @import {Envelope} from "./decoding.js" */
/** @import {Status, Totals} from "./status.js" */

/**
 * Messages of one stream and kind, since the subscriber began.
 *
 * `received` = `delivered` + `skipped` + `waiting`: given to the program, thrown away because the
 * program was slower, and neither yet. `passedOver`: not sent by the publisher, for want of credit.
 * `lost`: published but never received. `dropped`: frames that the pipeline did not publish, by
 * reason. `captured`: frames that the source took from the first received one to the last. For the
 * kind `meta`, which has a message for every published frame, at any time:
 * captured = received + passedOver + lost + Σ dropped. What only lost messages would have told comes
 * with the next message or status; what a publisher lost or dropped between its last message and its
 * death nobody tells.
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

/**
 * Where every captured frame went, in one line; it adds up for the kind `meta`. What was received and
 * then skipped, here, counts as skipped, like what was passed over.
 *
 * @param {Omit<KindStatistics, "stream" | "kind">} counts
 */
export function equation({ received, skipped, passedOver, lost, captured, dropped }) {
  const reasons = Object.entries(dropped)
    .sort()
    .map(([reason, count]) => `${reason} ${count}`);
  const told = reasons.length > 0 ? ` (${reasons.join(", ")})` : "";
  return (
    `${captured} captured = ${received - skipped} received + ${skipped + passedOver} skipped + ` +
    `${lost} lost on the wire + ${total(dropped)} dropped by the pipeline${told}`
  );
}

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
  /** @type {Counts} */
  #dropped = {};
  #epoch = 0;
  #seq = 0;
  /** Drops of this epoch that are in the books. @type {Counts} */
  #told = {};
  /** Drops of this publisher before one of its epochs, once known. @type {Counts | null} */
  #earlier = null;
  #since = 0;
  /** Drops of this publisher that are in the books since that epoch. @type {Counts} */
  #ofRun = {};
  /** Of the last message, where it was asked for. */
  #session = 0;
  #skipped = 0;

  /**
   * A message came, and the publisher says how many he skipped in this session.
   *
   * @param {Envelope} envelope
   * @param {number} skipped
   * @param {number} session
   * @throws {import("./errors.js").WireError} when its counters are missing; the books are as
   *   before then
   */
  enter({ publisher, pseq, fields }, skipped = 0, session = 0) {
    const epoch = fields.integer("epoch");
    const seq = fields.integer("seq");
    const dropped = fields.counts("dropped");
    if (publisher === this.publisher) {
      const before = session === this.#session ? this.#skipped : 0;
      this.#advance(epoch, seq, dropped, this.#miss(pseq, Math.max(0, skipped - before)));
    } else {
      this.#begin(publisher, epoch, seq, dropped);
      this.#captured++;
    }
    this.nextPseq = pseq + 1;
    this.#received++;
    [this.#session, this.#skipped] = [session, skipped];
  }

  /** A message that was entered turns out to be damaged inside: it counts as lost. */
  spoil() {
    this.#received--;
    this.#lost++;
  }

  /**
   * A status came in its turn: of the records before it, what is not here is lost, but what is
   * missing since a message of `session` was passed over. Only for records, and where a status
   * overtakes none of them.
   *
   * @param {string} publisher
   * @param {Status} status
   * @param {number | null} session
   */
  catchUp(publisher, { epoch, seq, messages, dropped }, session = null) {
    if (publisher !== this.publisher || epoch === null || seq === null) return;
    const missing = this.#missUpTo(messages.meta ?? 0, session);
    if (missing > 0) {
      this.#advance(epoch, seq, dropped, missing - 1);
      this.nextPseq += missing;
    }
  }

  /**
   * A status came, perhaps before its turn, and tells what was dropped before its epoch. The first
   * one of the first message's epoch, or a later one, will do.
   *
   * @param {string} publisher
   * @param {Status} status
   */
  orient(publisher, { epoch, dropped, totals }) {
    if (publisher !== this.publisher || this.#earlier !== null) return;
    if (epoch === null || epoch < this.#epoch) return;
    this.#earlier = minus(totals.dropped, dropped);
    this.#since = epoch;
    // What is counted of epochs before is in earlier.
    this.#ofRun = epoch === this.#epoch ? this.#told : {};
  }

  /**
   * The exact totals at the end: drops behind the last message of an epoch or of all.
   * @param {string} publisher
   * @param {Totals} totals
   */
  settle(publisher, totals) {
    if (publisher !== this.publisher || this.#earlier === null) return;
    const behind = minus(minus(totals.dropped, this.#earlier), this.#ofRun);
    this.#drop(behind);
    this.#captured += total(behind);
  }

  /**
   * The publisher has ended after so many messages: what did not come is lost, but what is missing
   * since a message of `session` was passed over.
   *
   * @param {string} publisher
   * @param {number} messages
   * @param {number | null} session
   */
  end(publisher, messages, session = null) {
    if (publisher !== this.publisher || messages <= this.nextPseq) return;
    this.#captured += this.#missUpTo(messages, session);
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
   * @param {number} pseq
   * @param {number | null} session
   */
  #missUpTo(pseq, session) {
    return this.#miss(pseq, session === this.#session ? pseq : 0);
  }

  /**
   * The messages before this one did not come; how many.
   * @param {number} pseq
   * @param {number} passedOver
   */
  #miss(pseq, passedOver) {
    const gap = Math.max(0, pseq - this.nextPseq);
    this.#passedOver += Math.min(gap, passedOver);
    this.#lost += Math.max(0, gap - passedOver);
    return gap;
  }

  /**
   * The first message of a publisher: the books go on from it.
   * @param {string} publisher
   * @param {number} epoch
   * @param {number} seq
   * @param {Counts} dropped
   */
  #begin(publisher, epoch, seq, dropped) {
    this.publisher = publisher;
    [this.#epoch, this.#seq, this.#told] = [epoch, seq, dropped];
    this.#earlier = epoch === 0 ? {} : null;
    [this.#since, this.#ofRun] = [epoch, dropped];
  }

  /**
   * What was captured and dropped since the last message, `gap` messages being missing. Of an epoch's
   * first messages seq - Σ dropped are before this one; other missing ones belong to epochs before.
   *
   * @param {number} epoch
   * @param {number} seq
   * @param {Counts} dropped
   * @param {number} gap
   */
  #advance(epoch, seq, dropped, gap) {
    if (epoch !== this.#epoch) {
      this.#captured += Math.max(0, gap - Math.max(0, seq - total(dropped)));
      [this.#told, this.#epoch, this.#seq] = [{}, epoch, -1];
    }
    this.#captured += Math.max(0, seq - this.#seq);
    this.#drop(minus(dropped, this.#told));
    [this.#seq, this.#told] = [seq, dropped];
  }

  /** @param {Counts} dropped */
  #drop(dropped) {
    this.#dropped = plus(this.#dropped, dropped);
    if (this.#epoch >= this.#since) this.#ofRun = plus(this.#ofRun, dropped);
  }
}
