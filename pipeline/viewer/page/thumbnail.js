// A small picture of a track, cut out of the large one.

const MARGIN = 1.15;

/** Fill the square `canvas` with what lies around `box` [x, y, width, height] in the scene. */
export function cutOut(canvas, scene, [x, y, width, height]) {
  const side = Math.max(width, height) * MARGIN;
  const [toX, toY] = [scene.bitmap.width / scene.width, scene.bitmap.height / scene.height];
  const left = clamp(x + width / 2 - side / 2, scene.width - side);
  const top = clamp(y + height / 2 - side / 2, scene.height - side);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(scene.bitmap, left * toX, top * toY, side * toX, side * toY, 0, 0, canvas.width, canvas.height);
}

/** From 0 to `highest`; in the middle when there is no room. */
function clamp(value, highest) {
  return highest < 0 ? highest / 2 : Math.max(0, Math.min(value, highest));
}
