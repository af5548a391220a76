"""Annotate: draws the instances over the picture, when somebody looks."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from pydantic import Field

from pipeline.config import Settings
from pipeline.demand import Demand
from pipeline.frame import Frame, Image, Instances, Model
from pipeline.picture import to_bgr
from pipeline.stage import Inbox

from .annotation.drawing import Canvas, Pen, draw_box, draw_contour, draw_label, draw_mask
from .annotation.palette import track_colour


class AnnotateSettings(Settings):
    """What is drawn and how."""

    masks: bool = True
    """Tint the pixels of each instance and draw a line around them."""
    boxes: bool = True
    """Draw the box of each instance."""
    labels: bool = True
    """Write track id, class and score at each instance."""
    opacity: float = Field(default=0.4, ge=0.0, le=1.0)
    """How much of the tint covers the picture: 0 leaves only the line, 1 hides the picture."""
    scale: float = Field(default=1.0, gt=0.0, le=10.0)
    """Size of lines and letters; 1 suits the size of the picture."""


class AnnotateStage:
    """Adds ``canvas`` to the frames of which somebody wants an annotated picture. One thread."""

    name = "annotate"

    def __init__(self, settings: AnnotateSettings, *, demand: Demand) -> None:
        self._settings = settings
        self._demand = demand

    def run(self, inbox: Inbox) -> Iterator[Frame]:
        """Yield every frame, annotated or as it came."""
        for frame in inbox:
            wanted = frame.image is not None and self._demand.wants(frame.stream, "annotated")
            yield self._annotated(frame) if wanted else frame

    def _annotated(self, frame: Frame) -> Frame:
        assert frame.image is not None
        canvas = to_bgr(frame.image).copy()
        if frame.instances is not None:
            self._draw(canvas, frame.instances, frame.model)
        image = replace(Image.from_bgr(canvas), sample_aspect=frame.image.sample_aspect)
        return replace(frame, canvas=image)

    def _draw(self, canvas: Canvas, instances: Instances, model: Model | None) -> None:
        """Large instances first, so that small ones in front of them stay visible; labels last."""
        height, width = canvas.shape[:2]
        pen = Pen.for_picture(height, width, self._settings.scale)
        order = np.argsort(-instances.masks.areas, kind="stable").tolist()
        for index in order:
            self._draw_instance(canvas, instances, index, pen)
        if self._settings.labels:
            for index in order:
                colour = track_colour(int(instances.track_ids[index]))
                text = label(instances, index, model)
                draw_label(canvas, instances.boxes[index], text, colour, pen)

    def _draw_instance(self, canvas: Canvas, instances: Instances, index: int, pen: Pen) -> None:
        colour = track_colour(int(instances.track_ids[index]))
        if self._settings.masks:
            x, y = instances.masks.origins[index].tolist()
            bits = instances.masks.crops[index]
            draw_mask(canvas, (x, y), bits, colour, self._settings.opacity)
            draw_contour(canvas, (x, y), bits, colour, pen)
        if self._settings.boxes:
            draw_box(canvas, instances.boxes[index], colour, pen)


def label(instances: Instances, index: int, model: Model | None) -> str:
    """What is written at an instance: "7 person 93%"; without a number when it has no track."""
    track, category = int(instances.track_ids[index]), int(instances.classes[index])
    names = () if model is None else model.classes
    name = names[category] if 0 <= category < len(names) else f"class {category}"
    text = f"{name} {float(instances.scores[index]):.0%}"
    return text if track < 0 else f"{track} {text}"
