// Draws a scene: the picture, and over it what was asked for.

import { css, textColour } from "./palette.js";
import { percent } from "./words.js";

const FONT = "600 12px system-ui, sans-serif";
const RIM = "rgb(0 0 0 / 0.55)";
const PAD = 5;
const LABEL_HEIGHT = 18;
const LARGE = 640; // CSS px: wider pictures get stronger lines
const SHORTEST_TRAIL = 10; // CSS px: what stands still leaves no dot

/** How a picture lies in a field of `width` × `height` CSS px: whole, in the middle. */
export function placement(scene, width, height) {
  const fits = Math.min(width / scene.aspect, height);
  const [shownWidth, shownHeight] = [fits * scene.aspect, fits];
  return {
    width: shownWidth,
    left: (width - shownWidth) / 2,
    top: (height - shownHeight) / 2,
    scaleX: shownWidth / scene.width,
    scaleY: shownHeight / scene.height,
  };
}

/** Draw `scene` into `context`, whose units are CSS px. `lit`: the key to highlight, or null. */
export function paint(context, scene, place, layers, trails, lit) {
  if (!scene.things.some((thing) => thing.key === lit)) lit = null;
  const pen = new Pen(context, place, lit);
  context.save();
  context.translate(place.left, place.top);
  context.imageSmoothingQuality = "high";
  const [width, height] = [scene.width * place.scaleX, scene.height * place.scaleY];
  if (scene.bitmap) context.drawImage(scene.bitmap, 0, 0, width, height);
  context.beginPath();
  context.rect(0, 0, width, height);
  context.clip();
  if (layers.trails) scene.things.forEach((thing) => pen.trail(thing, trails.of(thing.key)));
  for (const thing of scene.things) {
    if (layers.masks || thing.key === lit && lit !== null) pen.mask(thing);
    if (layers.boxes) pen.box(thing);
  }
  if (layers.labels) scene.things.forEach((thing) => pen.label(thing, width, height));
  context.restore();
}

/** Draws one thing; the highlighted one strongly, the others faintly beside it. */
class Pen {
  constructor(context, place, lit) {
    Object.assign(this, { context, place, lit });
    this.weight = place.width > LARGE ? 1.4 : 1;
  }

  #strength(thing) {
    if (this.lit === null) return thing.state === "tentative" ? 0.6 : 1;
    return thing.key === this.lit ? 1.35 : 0.3;
  }

  mask(thing) {
    const { context, place: { scaleX, scaleY } } = this;
    const strength = this.#strength(thing);
    context.save();
    context.scale(scaleX, scaleY);
    context.lineJoin = "round";
    context.fillStyle = css(thing.colour, 0.34 * strength);
    context.fill(thing.path, "evenodd");
    this.#stroke(thing, strength, scaleX, () => context.stroke(thing.path));
    context.restore();
  }

  box(thing) {
    const { context, place: { scaleX, scaleY } } = this;
    const [x, y, width, height] = thing.box;
    context.save();
    if (thing.state === "tentative") context.setLineDash([5, 4]);
    this.#stroke(thing, this.#strength(thing), 1, () =>
      context.strokeRect(x * scaleX, y * scaleY, width * scaleX, height * scaleY));
    context.restore();
  }

  trail(thing, points) {
    const { context, place: { scaleX, scaleY } } = this;
    const strength = Math.min(1, this.#strength(thing));
    if (!points.some(({ x, y }) => Math.hypot((x - points[0].x) * scaleX, (y - points[0].y) * scaleY) > SHORTEST_TRAIL)) return;
    context.lineCap = "round";
    context.lineWidth = 2.5;
    for (let i = 1; i < points.length; i++) {
      context.strokeStyle = css(thing.colour, 0.85 * strength * (i / points.length) ** 1.5);
      context.beginPath();
      context.moveTo(points[i - 1].x * scaleX, points[i - 1].y * scaleY);
      context.lineTo(points[i].x * scaleX, points[i].y * scaleY);
      context.stroke();
    }
  }

  /** On a filled ground above the box, or inside when there is no room above. */
  label(thing, width, height) {
    const { context, place: { scaleX, scaleY } } = this;
    const name = `${thing.label} ${percent(thing.score)}`;
    const text = thing.track === null ? name : `${thing.track} ${name}`;
    context.font = FONT;
    const labelWidth = context.measureText(text).width + 2 * PAD;
    const above = thing.box[1] * scaleY - LABEL_HEIGHT - 2;
    const x = Math.max(0, Math.min(thing.box[0] * scaleX, width - labelWidth));
    const y = Math.min(above >= 0 ? above : thing.box[1] * scaleY + 2, height - LABEL_HEIGHT);
    context.save();
    context.globalAlpha = Math.min(1, this.#strength(thing));
    context.fillStyle = css(thing.colour, 0.94);
    context.beginPath();
    context.roundRect(x, y, labelWidth, LABEL_HEIGHT, 4);
    context.fill();
    context.fillStyle = textColour(thing.colour);
    context.textBaseline = "middle";
    context.fillText(text, x + PAD, y + LABEL_HEIGHT / 2 + 0.5);
    context.restore();
  }

  /** A line with a dark rim, so that it shows on any ground. */
  #stroke(thing, strength, scale, stroke) {
    const { context } = this;
    const width = (thing.key === this.lit && this.lit !== null ? 3 : 1.5) * this.weight;
    context.globalAlpha = Math.min(1, strength);
    context.strokeStyle = RIM;
    context.lineWidth = (width + 1.5) / scale;
    stroke();
    context.strokeStyle = css(thing.colour);
    context.lineWidth = width / scale;
    stroke();
  }
}
