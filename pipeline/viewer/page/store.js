// What the server has told: streams, tracks, events and measurements. Bounded like there.

import { Signal } from "./signal.js";

const MOST_EVENTS = 2000;
const MOST_SAMPLES = 4800;
const FAREWELL_MS = 2500;

/** The name of a track among all: ids begin anew with each stream and epoch. */
export const keyOf = (stream, epoch, track) => `${stream}/${epoch}/${track}`;

export class Store {
  streams = new Map(); // name → row of the news
  tracks = new Map(); // key → { key, stream, epoch, track, label, t, leftAt }
  events = [];
  samples = [];
  publisher = { state: "never", since: null };
  endpoint = "";
  changed = new Signal(0);
  #ahead = 0; // ms that this clock is ahead of the server's

  /** The server's time, ms; all times here are of its clock. */
  now() {
    return Date.now() - this.#ahead;
  }

  welcome({ endpoint, tracks, events, samples }) {
    this.endpoint = endpoint;
    this.events = events;
    this.samples = samples;
    const known = new Set(tracks.map(({ stream, epoch, track }) => keyOf(stream, epoch, track)));
    for (const key of this.tracks.keys()) if (!known.has(key)) this.tracks.delete(key);
    tracks.forEach((entry) => this.#appear(entry));
  }

  news({ now, publisher, streams, events, samples }) {
    this.#ahead = Date.now() - now;
    this.publisher = publisher;
    this.streams = new Map(streams.map((row) => [row.name, row]));
    events.forEach((event) => this.#happen(event));
    this.events = [...this.events, ...events].slice(-MOST_EVENTS);
    this.samples = [...this.samples, ...samples].slice(-MOST_SAMPLES);
    this.#bury();
    this.changed.set(now);
  }

  #happen(event) {
    if (event.what === "appeared") this.#appear(event);
    if (event.what === "left") {
      const track = this.tracks.get(keyOf(event.stream, event.epoch, event.track));
      if (track) track.leftAt = event.t;
    }
  }

  #appear(entry) {
    const key = keyOf(entry.stream, entry.epoch, entry.track);
    const { stream, epoch, track, label, t } = entry;
    this.tracks.set(key, { key, stream, epoch, track, label, t, leftAt: null });
  }

  /** A track that left stays on the list for a moment, so that one sees it go. */
  #bury() {
    const now = this.now();
    for (const [key, { leftAt }] of this.tracks) {
      if (leftAt !== null && now - leftAt > FAREWELL_MS) this.tracks.delete(key);
    }
  }
}
