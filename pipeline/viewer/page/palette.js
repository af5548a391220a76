// A colour for every track: the rule of the annotated video (stages/annotation/palette.py).

const UNTRACKED = [170, 170, 170];
const GOLDEN_RATIO = 0.618033988749895;
const SHADES = [[0.85, 1.0], [0.65, 0.95], [0.95, 0.78]]; // saturation and value, in turn

/** Red, green, blue of a track, 0 to 255; grey for null, the untracked. */
export function trackColour(track) {
  if (track === null) return UNTRACKED;
  const [saturation, value] = SHADES[track % SHADES.length];
  return fromHsv((track * GOLDEN_RATIO) % 1, saturation, value).map((part) => halfToEven(part * 255));
}

/** The same as CSS, with an opacity. */
export const css = ([red, green, blue], alpha = 1) => `rgb(${red} ${green} ${blue} / ${alpha})`;

/** Dark or light letters, whichever read better on `colour` (luma of ITU-R BT.601). */
export const textColour = ([red, green, blue]) =>
  0.114 * blue + 0.587 * green + 0.299 * red > 115 ? "rgb(20 20 20)" : "rgb(255 255 255)";

function fromHsv(hue, saturation, value) {
  const sector = Math.trunc(hue * 6);
  const rest = hue * 6 - sector;
  const low = value * (1 - saturation);
  const falling = value * (1 - saturation * rest);
  const rising = value * (1 - saturation * (1 - rest));
  return [
    [value, rising, low],
    [falling, value, low],
    [low, value, rising],
    [low, falling, value],
    [rising, low, value],
    [value, low, falling],
  ][sector % 6];
}

/** As Python rounds. */
function halfToEven(number) {
  const rounded = Math.round(number);
  return Math.abs(number % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
