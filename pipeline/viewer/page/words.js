// Times and states as people say them.

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** A time of day, from ms since 1970. */
export const clock = (ms) => CLOCK.format(ms);

/** A length of time: 8 s, 1:05 min, 2:03 h. */
export function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${pad(seconds % 60)} min`;
  return `${Math.floor(minutes / 60)}:${pad(minutes % 60)} h`;
}

/** A score as in the annotated video. */
export const percent = (score) => `${Math.round(score * 100)}%`;

/** A rate, always with one decimal, so that it does not jump. */
export const rate = (number) => number.toFixed(1);

/** A number of ms; what a file says of its age means nothing after some minutes. */
export const milliseconds = (ms) => (ms < 10_000 ? `${Math.round(ms)} ms` : span(ms));

/** A count with thin spaces. */
export const count = (number) => number.toLocaleString("en").replaceAll(",", "\u202f");

/** A label that leaves room for the picture. */
export const short = (label) => (label.length > 28 ? `${label.slice(0, 27)}…` : label);

const SHORT = { running: "live", waiting: "waiting", stalled: "stalled", reconnecting: "reconnecting", gone: "gone", failed: "failed", ended: "ended" };

/** A state in a word. */
export const stateWord = (state) => SHORT[state] ?? state;

/** What is wrong with a stream, and since when; empty while pictures flow. */
export function complaint({ state, since }, now) {
  const when = `${clock(since)} (${span(now - since)})`;
  switch (state) {
    case "running": return "";
    case "waiting": return "Waiting for the first picture";
    case "gone": return `The publisher is gone. No picture since ${when}`;
    case "reconnecting": return `Reconnecting. No picture since ${when}`;
    case "stalled": return `Stale. No picture since ${when}`;
    case "ended": return `Ended at ${clock(since)}`;
    case "failed": return `Given up at ${clock(since)}`;
    default: return `${state} since ${when}`;
  }
}

/** An event of the log, without its time and stream. */
export function eventWords({ what, label, track, lasted }) {
  switch (what) {
    case "appeared": return `${label} ${track} appeared`;
    case "left": return `${label} ${track} left after ${span(lasted)}`;
    case "running": return "pictures flow";
    case "gone": return "the publisher is gone";
    case "restarted": return "the publisher was restarted";
    case "reconnected": return "the source was picked up again";
    default: return what;
  }
}

const pad = (number) => String(number).padStart(2, "0");
