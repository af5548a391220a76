"""Every SOLOv2 by name: plain functions that build an untrained network, for any classes."""

from collections.abc import Sequence
from dataclasses import replace

from ..coco_classes import COCO_CLASSES
from . import spec
from .nano import NANO, Solov2Nano
from .network import Solov2


def _build(published: spec.ResNetSpec, classes: Sequence[str]) -> Solov2:
    return Solov2(replace(published, classes=tuple(classes)))


def solov2_light_r18(classes: Sequence[str] = COCO_CLASSES) -> Solov2:
    """18 M parameters, 103 GFLOP at 448x768."""
    return _build(spec.LIGHT_R18, classes)


def solov2_light_r34(classes: Sequence[str] = COCO_CLASSES) -> Solov2:
    """28 M parameters, for 448x768."""
    return _build(spec.LIGHT_R34, classes)


def solov2_light_r50(classes: Sequence[str] = COCO_CLASSES) -> Solov2:
    """31 M parameters, for 448x768."""
    return _build(spec.LIGHT_R50, classes)


def solov2_light_r50_dcn(classes: Sequence[str] = COCO_CLASSES) -> Solov2:
    """34 M parameters, deformable stages 2 to 4 and last tower convolutions, for 448x768."""
    return _build(spec.LIGHT_R50_DCN, classes)


def solov2_r50(classes: Sequence[str] = COCO_CLASSES) -> Solov2:
    """47 M parameters, 505 GFLOP at 800x1344."""
    return _build(spec.R50, classes)


def solov2_r101(classes: Sequence[str] = COCO_CLASSES) -> Solov2:
    """66 M parameters, for 800x1344."""
    return _build(spec.R101, classes)


def solov2_r101_dcn(classes: Sequence[str] = COCO_CLASSES) -> Solov2:
    """69 M parameters, deformable backbone, towers and mask branch, for 800x1344."""
    return _build(spec.R101_DCN, classes)


def solov2_x101_dcn(classes: Sequence[str] = COCO_CLASSES) -> Solov2:
    """113 M parameters: ResNeXt-101 64x4d, deformable like ``solov2_r101_dcn``, for 800x1344."""
    return _build(spec.X101_DCN, classes)


def solov2_nano(classes: Sequence[str] = NANO.classes) -> Solov2Nano:
    """1 M parameters, made for two CPU cores, for 320x544."""
    return Solov2Nano(replace(NANO, classes=tuple(classes)))
