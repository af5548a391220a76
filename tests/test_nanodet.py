"""NanoDet-m as a start: its numbers come out of our class branch, other files are refused.

``nanodet.json``: logits of people and cars at strides 8, 16 and 32 for a picture of noise, from
walking through the layers of ncnn's own list one by one.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import CheckpointMismatch, ConfigError, WeightsError
from stages.learning.nanodet import adopted
from stages.learning.training.settings import StartSettings
from stages.learning.training.start import Start, begin
from stages.networks.solov2.nano import Solov2Nano

GOLDEN = Path(__file__).parent / "data" / "golden" / "nanodet.json"
WEIGHTS = Path(__file__).parents[2] / "shared" / "media" / "weights"
CLASSES = ("shape", "car", "person")
CONVOLUTIONS = 18
"""Those behind the backbone: 3 laterals; 4 in a tower and an output, for each of 3 levels."""


def start(backbone: Path | None = None) -> Start:
    torch.manual_seed(0)
    settings = StartSettings(weights="none", backbone=str(backbone) if backbone else None)
    return begin("solov2-nano", CLASSES, settings)


@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="needs ../shared/media/weights")
@torch.inference_mode()
def test_our_class_branch_says_what_nanodet_says() -> None:
    begun = start(WEIGHTS / "shufflenetv2_x1_0_nanodet_m_coco_tvkeys.pth")
    quiet = begun.network.state_dict()["class_branch.score.0.weight"][0].clone()
    begun = adopted(begun, WEIGHTS / "nanodet-m.param")
    network = begun.network.eval()
    assert isinstance(network, Solov2Nano)
    noise = np.random.default_rng(0).standard_normal((1, 3, 96, 96)).astype(np.float32)
    _, *stages = network.backbone(torch.from_numpy(noise))
    levels = network.class_branch(stages, (12, 6, 3))
    golden = json.loads(GOLDEN.read_text())
    for row, name in ((1, "car"), (2, "person")):
        for got, wanted in zip(levels, golden[name], strict=True):
            torch.testing.assert_close(
                got[0, row].flatten(), torch.tensor(wanted), rtol=1e-3, atol=1e-3
            )
    assert torch.equal(network.state_dict()["class_branch.score.0.weight"][0], quiet)
    assert begun.remarks[-1] == "the class branch starts from nanodet-m.param, classes: car, person"
    assert begun.careful == ("backbone", "class_branch.laterals", "class_branch.towers")


def ncnn(folder: Path, layers: int = CONVOLUTIONS, cut_bytes: int = 0) -> Path:
    """A listing of pointwise layers of 96 channels and their weights, all zero."""
    lines = ["7767517", f"{layers} {layers}"]
    lines += [f"Convolution c{n} 1 1 {n} {n + 1} 0=96 1=1 5=1 6=9216" for n in range(layers)]
    file = folder / "net.param"
    file.write_text("\n".join(lines))
    layer = (0x01306B47).to_bytes(4, "little") + bytes(2 * 9216) + bytes(4 * 96)
    data = layer * layers
    file.with_suffix(".bin").write_bytes(data[: len(data) - cut_bytes])
    return file


@pytest.mark.parametrize(
    ("layers", "cut_bytes"), [(CONVOLUTIONS, 0), (3, 0), (CONVOLUTIONS, 5), (CONVOLUTIONS, 30_000)]
)
def test_other_networks_are_refused(tmp_path: Path, layers: int, cut_bytes: int) -> None:
    with pytest.raises(CheckpointMismatch, match="wanted a NanoDet-m of ncnn, half precision"):
        adopted(start(), ncnn(tmp_path, layers, cut_bytes))


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.param: wanted a NanoDet-m .* No such file"):
        adopted(start(), tmp_path / "none.param")
    alone = ncnn(tmp_path)
    alone.with_suffix(".bin").unlink()
    with pytest.raises(WeightsError, match=r"net\.bin: wanted a NanoDet-m .* No such file"):
        adopted(start(), alone)


def test_another_network_has_no_such_branch(tmp_path: Path) -> None:
    other = begin("solov2-light-r18", CLASSES, StartSettings(weights="none"))
    with pytest.raises(ConfigError, match="wanted solov2-nano beside --detector, got solov2-light"):
        adopted(other, ncnn(tmp_path))
