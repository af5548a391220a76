// Where each track of one stream was in the last seconds.

const KEPT_MS = 3000;
const MOST_POINTS = 120;

export class Trails {
  #points = new Map(); // key → [{ x, y, t }]

  /** Note where everything of `scene` is at `now`, ms. */
  note(scene, now) {
    for (const { key, box: [x, y, width, height] } of scene.things) {
      if (key === null) continue;
      const points = this.#points.get(key) ?? [];
      points.push({ x: x + width / 2, y: y + height / 2, t: now });
      this.#points.set(key, points);
    }
    for (const [key, points] of this.#points) {
      while (points.length && (now - points[0].t > KEPT_MS || points.length > MOST_POINTS)) points.shift();
      if (!points.length) this.#points.delete(key);
    }
  }

  /** The way of a track, oldest point first. */
  of(key) {
    return this.#points.get(key) ?? [];
  }
}
