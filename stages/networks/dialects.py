"""Key names of other implementations, as flat tables from theirs to ours (mmdetection 3's).

A row is (their key, our key). ``{n}`` is a number, ``{r+1}`` or ``{3*i+1}`` one computed from it,
``{*}`` any text. The first row that fits decides; a key that no row fits keeps its name, and is
reported as unexpected when the tensors meet a network.

What names cannot tell: whether an AdelaiDet ResNet strides in the first 1x1 convolution of a
stage (``STRIDE_IN_1X1``, the default there) or in the 3x3, as ours does. The first kind loads, and
sees wrongly.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, TypeVar

Dialect = Literal["maskstream", "mmdet", "orig", "adet", "torchvision", "plain"]
"""Whose names a file uses: ours, mmdetection 2 and 3, the original repository, AdelaiDet,
torchvision; plain: nobody's known, taken as they are."""
Row = tuple[str, str]
Value = TypeVar("Value")

ORIG: Final[tuple[Row, ...]] = (
    ("{*block}.conv2_offset.{*}", "{*block}.conv2.conv_offset.{*}"),
    ("mask_feat_head.conv_pred.0.{*}", "mask_head.mask_feature_head.conv_pred.{*}"),
    ("mask_feat_head.{*}", "mask_head.mask_feature_head.{*}"),
    ("bbox_head.cate_convs.{*}", "mask_head.cls_convs.{*}"),
    ("bbox_head.kernel_convs.{*}", "mask_head.kernel_convs.{*}"),
    ("bbox_head.solo_cate.{*}", "mask_head.conv_cls.{*}"),
    ("bbox_head.solo_kernel.{*}", "mask_head.conv_kernel.{*}"),
    ("bbox_head.ins_convs{*}", "mask_head.mask_convs{*}"),
    ("bbox_head.solo_ins_list{*}", "mask_head.conv_mask_list{*}"),
    ("bbox_head.dsolo_ins_list{*}", "mask_head.conv_mask_list{*}"),
    ("bbox_head.dsolo_cate.{*}", "mask_head.conv_cls.{*}"),
)
"""The original repository. Backbone and neck have our names; the last four rows are SOLO v1's."""

ADET: Final[tuple[Row, ...]] = (
    ("backbone.bottom_up.stem.conv1.weight", "backbone.conv1.weight"),
    ("backbone.bottom_up.stem.conv1.norm.{*}", "backbone.bn1.{*}"),
    (
        "backbone.bottom_up.res{r+1}.{b}.shortcut.weight",
        "backbone.layer{r}.{b}.downsample.0.weight",
    ),
    ("backbone.bottom_up.res{r+1}.{b}.shortcut.norm.{*}", "backbone.layer{r}.{b}.downsample.1.{*}"),
    ("backbone.bottom_up.res{r+1}.{b}.conv{c}.norm.{*}", "backbone.layer{r}.{b}.bn{c}.{*}"),
    ("backbone.bottom_up.res{r+1}.{b}.conv{c}.{*}", "backbone.layer{r}.{b}.conv{c}.{*}"),
    ("backbone.fpn_lateral{l+2}.{*}", "neck.lateral_convs.{l}.conv.{*}"),
    ("backbone.fpn_output{l+2}.{*}", "neck.fpn_convs.{l}.conv.{*}"),
    ("ins_head.cate_tower.{3*i}.{*}", "mask_head.cls_convs.{i}.conv.{*}"),
    ("ins_head.cate_tower.{3*i+1}.{*}", "mask_head.cls_convs.{i}.gn.{*}"),
    ("ins_head.kernel_tower.{3*i}.{*}", "mask_head.kernel_convs.{i}.conv.{*}"),
    ("ins_head.kernel_tower.{3*i+1}.{*}", "mask_head.kernel_convs.{i}.gn.{*}"),
    ("ins_head.cate_pred.{*}", "mask_head.conv_cls.{*}"),
    ("ins_head.kernel_pred.{*}", "mask_head.conv_kernel.{*}"),
    (
        "mask_head.convs_all_levels.{l}.conv{j}.0.{*}",
        "mask_head.mask_feature_head.convs_all_levels.{l}.conv{j}.conv.{*}",
    ),
    (
        "mask_head.convs_all_levels.{l}.conv{j}.1.{*}",
        "mask_head.mask_feature_head.convs_all_levels.{l}.conv{j}.gn.{*}",
    ),
    ("mask_head.conv_pred.0.{*}", "mask_head.mask_feature_head.conv_pred.conv.{*}"),
    ("mask_head.conv_pred.1.{*}", "mask_head.mask_feature_head.conv_pred.gn.{*}"),
)
"""AdelaiDet, on detectron2's ResNet and FPN."""

TORCHVISION: Final[tuple[Row, ...]] = (
    ("backbone.fpn.{*blocks}_blocks.{l}.{*leaf}", "backbone.fpn.{*blocks}_blocks.{l}.0.{*leaf}"),
    ("rpn.head.conv.{*leaf}", "rpn.head.conv.0.0.{*leaf}"),
    ("roi_heads.mask_head.mask_fcn{i+1}.{*leaf}", "roi_heads.mask_head.{i}.0.{*leaf}"),
)
"""Mask R-CNN as torchvision named it when it published its weights; ours are today's names."""

_TABLES: Final[Mapping[Dialect, tuple[Row, ...]]] = {
    "orig": ORIG,
    "adet": ADET,
    "torchvision": TORCHVISION,
}
_MARKS: Final[tuple[tuple[str, Dialect], ...]] = (
    ("ins_head.", "adet"),  # first: adet has a mask_head too, and means another thing by it
    ("bbox_head.", "orig"),
    ("roi_heads.", "torchvision"),
    ("mask_head.", "mmdet"),
)
_FIELD = re.compile(r"\{(?:(?P<scale>\d+)\*)?(?P<name>\*?\w*)(?:\+(?P<shift>\d+))?\}")


def detect(keys: Iterable[str]) -> Dialect:
    """Whose names ``keys`` are, by the prefix that only they use."""
    names = tuple(keys)
    for prefix, dialect in _MARKS:
        if any(name.startswith(prefix) for name in names):
            return dialect
    return "plain"


def rename(tensors: Mapping[str, Value], dialect: Dialect) -> dict[str, Value]:
    """``tensors`` under our names, in their order."""
    rules = [_rule(row) for row in _TABLES.get(dialect, ())]
    renamed: dict[str, Value] = {}
    for key, tensor in tensors.items():
        ours = next((name for rule in rules if (name := rule(key)) is not None), key)
        renamed[key if ours in renamed else ours] = tensor
    return renamed


def _rule(row: Row) -> Callable[[str], str | None]:
    """The row as a function: our name of a key, None if the row does not fit it."""
    theirs, ours = row
    fields = list(_FIELD.finditer(theirs))
    literals = [re.escape(text) for text in _FIELD.split(theirs)[:: _FIELD.groups + 1]]
    groups = ["(.+)" if field["name"].startswith("*") else r"(\d+)" for field in fields]
    pattern = re.compile("".join(a + b for a, b in zip(literals, [*groups, ""], strict=True)))

    def translate(key: str) -> str | None:
        match = pattern.fullmatch(key)
        if match is None:
            return None
        values = {}
        for field, text in zip(fields, match.groups(), strict=True):
            value = text if field["name"].startswith("*") else _solve(field, int(text))
            if value is None:
                return None
            values[field["name"]] = value
        return _FIELD.sub(lambda field: values[field["name"]], ours)

    return translate


def _solve(field: re.Match[str], number: int) -> str | None:
    """n in ``scale*n+shift == number``, None if there is none."""
    index, rest = divmod(number - int(field["shift"] or 0), int(field["scale"] or 1))
    return str(index) if index >= 0 and rest == 0 else None
