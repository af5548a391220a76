"""MaskTracker: gives the instances of a stream's frames identities that last.

Pure: instances and a time go in, the same instances with identities come out. A track is tentative
until its sightings add up to enough score, tracked from then on, lost while it is not seen, and
ended when that takes too long. All limits are in seconds, so that neither the frame rate nor
dropped frames matter.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from pipeline.config import Settings
from pipeline.frame import Instances, TrackState
from pipeline.masks import Bits, pairwise_iou

from .association import Pairs, Round, assign, enlarged_iou, warped
from .motion import Motion, Noise


class TrackConfig(Settings):
    """When instances of different frames are the same thing."""

    high_score: float = Field(default=0.33, ge=0.0, le=1.0)
    """Instances of at least this score are matched first."""
    start_score: float = Field(default=0.37, ge=0.0, le=1.0)
    """Score that an unmatched instance needs to begin a track."""
    confirm_score: float = Field(default=0.6, ge=0.0)
    """Sum of the scores of a track's sightings that turns it from tentative to tracked."""
    mask_iou: float = Field(default=0.02, gt=0.0, le=1.0)
    """Least IoU of a mask with the mask that was expected; any overlap is a strong hint."""
    low_mask_iou: float = Field(default=0.2, gt=0.0, le=1.0)
    """The same for instances below the high score."""
    box_margin: float = Field(default=0.7, ge=0.0)
    """What found no mask is matched by boxes, enlarged by this part of their size on every side."""
    box_iou: float = Field(default=0.07, gt=0.0, le=1.0)
    """Least IoU of enlarged boxes."""
    tentative_s: float = Field(default=0.5, ge=0.0)
    """A tentative track that is missed ends when it was unseen for longer, s."""
    lost_s: float = Field(default=3.0, ge=0.0)
    """A track ends when it was unseen for longer, s."""
    position_noise: float = Field(default=0.4, gt=0.0)
    """Error of a box with score 0, in sizes of the box; surer boxes err less."""
    velocity_noise: float = Field(default=2.0, gt=0.0)
    """Typical speed of new things, sizes of the box per second."""
    acceleration_noise: float = Field(default=0.85, gt=0.0)
    """How much speeds change, sizes of the box per second and root of a second."""
    fade_s: float = Field(default=5.0, gt=0.0)
    """Time in which the speed of an unseen thing falls to a third, s."""
    max_tracks: int = Field(default=400, ge=1)
    """Most tracks remembered at once; of the unseen, tentative ones end first, then
    those unseen for longest; what finds no room stays untracked."""


@dataclass
class _Track:
    id: int
    category: int
    crop: Bits
    """Its mask when last seen."""
    score_sum: float = 0.0
    unseen_s: float = 0.0
    confirmed: bool = False

    def see(self, crop: Bits, score: float, confirm_score: float) -> None:
        """Be seen as ``crop``."""
        self.crop = crop
        self.unseen_s = 0.0
        self.score_sum += score
        self.confirmed = self.score_sum >= confirm_score

    @property
    def state(self) -> TrackState:
        return TrackState.TRACKED if self.confirmed else TrackState.TENTATIVE


class MaskTracker:
    """The tracks of one stream and epoch. One thread.

    ``ended``: ids of the tracks that ended with the last update. Ids count from 1 and are never
    given twice.
    """

    def __init__(self, config: TrackConfig | None = None) -> None:
        config = config or TrackConfig()
        self._config = config
        self._noise = Noise(
            config.position_noise,
            config.velocity_noise,
            config.acceleration_noise,
            config.fade_s,
        )
        self._tracks: list[_Track] = []
        self._motion = Motion.none()  # a row for each of the tracks
        self._time_s: float | None = None
        self._last_id = 0
        self.ended: tuple[int, ...] = ()

    def update(self, instances: Instances, time_s: float) -> Instances:
        """``instances``, seen at ``time_s``, in the same order with ids and states; -1: no track.

        Where time does not grow from one call to the next, nothing is taken to have moved.

        :raises ValueError: when the time is not finite.
        """
        self._advance(time_s)
        self.ended = ()
        self._end(t.unseen_s > self._config.lost_s for t in self._tracks)
        pairs = self._associate(instances)
        owners = self._see(instances, pairs)
        self._end(not t.confirmed and t.unseen_s > self._config.tentative_s for t in self._tracks)
        owners |= self._start(instances, owners)
        return _labelled(instances, owners)

    def _advance(self, time_s: float) -> None:
        if not math.isfinite(time_s):
            raise ValueError(f"time_s must be finite, got {time_s}")
        dt_s = 0.0 if self._time_s is None else max(time_s - self._time_s, 0.0)
        self._time_s = time_s
        self._motion = self._motion.after(dt_s, self._noise)
        for track in self._tracks:
            track.unseen_s += dt_s

    def _associate(self, instances: Instances) -> Pairs:
        if not self._tracks or not len(instances):
            return []
        config, tracks = self._config, self._tracks
        same = np.array([t.category for t in tracks])[:, None] == instances.classes[None]
        expected = self._motion.boxes
        size = instances.masks.height, instances.masks.width
        masks = same * pairwise_iou(
            warped([t.crop for t in tracks], expected, *size), instances.masks
        )
        boxes = same * enlarged_iou(expected, instances.boxes, config.box_margin)
        confirmed = np.array([t.confirmed for t in tracks])
        high = instances.scores >= config.high_score
        every = np.ones_like(high)
        return assign(
            [
                Round(masks, confirmed, high, config.mask_iou),
                Round(masks, confirmed, ~high, config.low_mask_iou),
                Round(boxes, confirmed, every, config.box_iou),
                Round(masks, ~confirmed, every, config.mask_iou),
                Round(boxes, ~confirmed, every, config.box_iou),
            ]
        )

    def _see(self, instances: Instances, pairs: Pairs) -> dict[int, _Track]:
        """Continue tracks; give the track of each matched instance."""
        tracks, seen = np.array(pairs, np.intp).reshape(-1, 2).T
        self._motion = self._motion.corrected(
            tracks, instances.boxes[seen], instances.scores[seen], self._noise
        )
        for t, i in pairs:
            crop, score = instances.masks.crops[i], float(instances.scores[i])
            self._tracks[t].see(crop, score, self._config.confirm_score)
        return {i: self._tracks[t] for t, i in pairs}

    def _start(self, instances: Instances, owners: dict[int, _Track]) -> dict[int, _Track]:
        """Begin tracks of what nobody owns; give the track of each instance that begins one."""
        scores, crops, config = instances.scores, instances.masks.crops, self._config
        sure = np.flatnonzero(scores >= config.start_score).tolist()
        new = [i for i in sure if i not in owners and crops[i].size]
        self._make_room(len(new), {track.id for track in owners.values()})
        new = new[: max(config.max_tracks - len(self._tracks), 0)]
        begun = {}
        for i in new:
            self._last_id += 1
            begun[i] = _Track(self._last_id, int(instances.classes[i]), crops[i])
            begun[i].see(crops[i], float(scores[i]), config.confirm_score)
        self._tracks += begun.values()
        self._motion = self._motion.joined(
            Motion.starting(instances.boxes[new], scores[new], self._noise)
        )
        return begun

    def _end(self, which: Iterable[bool]) -> None:
        gone = np.fromiter(which, np.bool_, len(self._tracks))
        if not gone.any():
            return
        self.ended += tuple(self._tracks[t].id for t in np.flatnonzero(gone))
        kept = np.flatnonzero(~gone)
        self._tracks = [self._tracks[t] for t in kept]
        self._motion = self._motion.select(kept)

    def _make_room(self, count: int, seen: set[int]) -> None:
        """End tracks for ``count`` new ones, but none that was ``seen`` just now."""
        too_many = len(self._tracks) + count - self._config.max_tracks
        if too_many <= 0:
            return
        absent = [track for track in self._tracks if track.id not in seen]
        absent.sort(key=lambda track: (track.confirmed, -track.unseen_s))
        gone = {track.id for track in absent[:too_many]}
        self._end(track.id in gone for track in self._tracks)


def _labelled(instances: Instances, owners: dict[int, _Track]) -> Instances:
    ids = np.full(len(instances), -1, np.int64)
    states = np.full(len(instances), TrackState.UNTRACKED, np.uint8)
    for i, track in owners.items():
        ids[i], states[i] = track.id, track.state
    return replace(instances, track_ids=ids, states=states)
