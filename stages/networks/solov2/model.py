"""SOLOv2 behind the ``Segmenter`` contract: pictures in, instances at their resolution out."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..canvas import lay_out
from ..segmenter import Batch, Found, Placement
from ..thresholds import Thresholds
from .fast import Replay, quicken
from .postprocess import detect_fixed, detect_valid
from .spec import Spec
from .upsample import Enlargement, enlarge, enlarge_packed, unpack

# B batch · C channels · H W canvas · N instances

logger = logging.getLogger("maskstream.networks")

Compute = Callable[[Tensor], Mapping[str, Tensor]]

_PLANS = 8  # shapes of batches whose matrices and graphs are kept


class Solov2Segmenter:
    """Any network whose forward gives a ``HeadOutput``, the published ones and the small one alike.

    The network is copied, folded and moved to ``device``; the original is left alone. On a CPU only
    what is found is computed; on a device every shape is fixed and, with ``graphs``, the whole of
    ``detect`` is captured once for each shape of batch. ``fixed`` overrides which of the two ways
    is gone. ``precision`` is the network's; scores and masks are float32. One thread uses it.
    """

    def __init__(
        self,
        network: nn.Module,
        spec: Spec,
        classes: Sequence[str],
        thresholds: Thresholds,
        *,
        device: torch.device | str = "cpu",
        precision: torch.dtype = torch.float32,
        graphs: bool = True,
        fixed: bool | None = None,
    ) -> None:
        self.name = spec.name
        self.classes = tuple(classes)
        self.spec = spec
        self.thresholds = thresholds
        device = torch.device(device)
        self.network, self._precision = quicken(network, device, precision)
        self._mean_C = torch.tensor(spec.mean, device=device)
        self._std_C = torch.tensor(spec.std, device=device)
        self._fixed = device.type != "cpu" if fixed is None else fixed
        self._graphs = graphs and device.type == "cuda"
        self._enlargement = lru_cache(maxsize=64)(Enlargement.of)
        self._plan = lru_cache(maxsize=_PLANS)(self._make_plan)

    def prepare(
        self, pictures: Sequence[NDArray[np.uint8]], aspects: Sequence[float] | None = None
    ) -> Batch:
        """Resize as mmdetection does (OpenCV, bilinear, ratio kept), pad at the right and below."""
        return lay_out(
            pictures,
            aspects,
            long_px=self.spec.long_px,
            short_px=self.spec.short_px,
            divisor=self.spec.size_divisor,
        )

    @torch.inference_mode()
    def detect(self, pixels: Tensor, placements: Sequence[Placement]) -> Mapping[str, Tensor]:
        """Scores, classes and masks of each picture; keys end with the picture's index."""
        if not self._fixed:
            return self._detect_valid(pixels, placements)
        plan = self._plan(pixels.shape, tuple(placements), pixels.device)
        return plan(pixels)

    def collect(
        self, tensors: Mapping[str, Tensor], placements: Sequence[Placement]
    ) -> list[Found]:
        """Instances, best first; what the device packed is unpacked inside each box."""
        take = self._collect_fixed if self._fixed else self._collect_valid
        return [take(tensors, index, placement) for index, placement in enumerate(placements)]

    def _detect_valid(
        self, pixels: Tensor, placements: Sequence[Placement]
    ) -> Mapping[str, Tensor]:
        output = self.network(self.normalise(pixels, placements))
        tensors: dict[str, Tensor] = {}
        for index, one in enumerate(detect_valid(output, self.spec.strides, self.thresholds)):
            tensors[f"scores.{index}"] = one.scores[0]
            tensors[f"classes.{index}"] = one.classes[0]
            tensors[f"soft.{index}"] = one.soft[0]
        return tensors

    def _collect_valid(
        self, tensors: Mapping[str, Tensor], index: int, placement: Placement
    ) -> Found:
        soft_NHW = tensors[f"soft.{index}"]
        quarter = (soft_NHW.shape[1], soft_NHW.shape[2])
        enlargement = self._enlargement(quarter, self.spec.mask_stride, placement)
        return Found(
            tensors[f"scores.{index}"].numpy(),
            tensors[f"classes.{index}"].numpy().astype(np.int32),
            enlarge(soft_NHW, enlargement, self.thresholds.mask),
        )

    def _make_plan(
        self, shape: torch.Size, placements: tuple[Placement, ...], device: torch.device
    ) -> Compute:
        stride = self.spec.mask_stride
        quarter = (shape[1] // stride, shape[2] // stride)
        matrices = []
        for placement in placements:
            rows, columns = self._enlargement(quarter, stride, placement)
            matrices.append((rows.matrix.to(device), columns.matrix.to(device)))
        compute = partial(self._detect_fixed, placements=placements, matrices=matrices)
        if not self._graphs:
            return compute
        try:
            return Replay(compute, torch.zeros(shape, dtype=torch.uint8, device=device))
        except RuntimeError as error:
            logger.warning("no graph of a batch of %s can be captured: %s", tuple(shape), error)
            return compute

    def _detect_fixed(
        self,
        pixels: Tensor,
        placements: Sequence[Placement],
        matrices: Sequence[tuple[Tensor, Tensor]],
    ) -> Mapping[str, Tensor]:
        output = self.network(self.normalise(pixels, placements))
        found = detect_fixed(output, self.spec.strides, self.thresholds)
        tensors: dict[str, Tensor] = {}
        for index, (rows, columns) in enumerate(matrices):
            bits, boxes = enlarge_packed(found.soft[index], rows, columns, self.thresholds.mask)
            tensors[f"scores.{index}"] = found.scores[index]
            tensors[f"classes.{index}"] = found.classes[index].int()
            tensors[f"bits.{index}"] = bits
            tensors[f"boxes.{index}"] = boxes
        return tensors

    def _collect_fixed(
        self, tensors: Mapping[str, Tensor], index: int, placement: Placement
    ) -> Found:
        del placement  # the masks are at the source's resolution already
        scores, classes, bits, boxes = (
            tensors[f"{name}.{index}"].numpy() for name in ("scores", "classes", "bits", "boxes")
        )
        found = int(np.count_nonzero(scores >= 0))
        crops = [unpack(bits[n], boxes[n]) for n in range(found)]
        return Found(scores[:found].copy(), classes[:found].copy(), crops)

    def normalise(self, pixels_BHWC: Tensor, placements: Sequence[Placement]) -> Tensor:
        """Pixels as the network wants them, (B, C, H, W); the padding is 0 after normalisation."""
        ordered_BHWC = pixels_BHWC.flip(3) if self.spec.channel_order == "rgb" else pixels_BHWC
        width = pixels_BHWC.shape[2]
        # whole rows at a time and in place: broadcasting three values took six times as long
        x_BHD = ordered_BHWC.flatten(2).float()
        x_BHD.sub_(self._mean_C.repeat(width)).div_(self._std_C.repeat(width))
        x_BHWC = x_BHD.view(ordered_BHWC.shape)
        for picture_HWC, placement in zip(x_BHWC, placements, strict=True):
            height, width = placement.resized
            picture_HWC[height:] = 0
            picture_HWC[:, width:] = 0
        return x_BHWC.permute(0, 3, 1, 2).to(self._precision)
