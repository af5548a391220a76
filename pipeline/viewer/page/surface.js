// A canvas as sharp as the screen, measured once a change and not once a drawing.

/** Follows the size of `canvas` on the page. `changed` is called when it must be drawn anew. */
export class Surface {
  width = 0; // CSS px
  height = 0;

  constructor(canvas, changed) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    new ResizeObserver(([{ contentRect }]) => {
      this.width = contentRect.width;
      this.height = contentRect.height;
      changed();
    }).observe(canvas);
  }

  /** An empty drawing area whose units are CSS px; null while it has no size. */
  begin() {
    const { canvas, context, width, height } = this;
    if (!width || !height) return null;
    const density = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * density), Math.round(height * density)];
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }
}
