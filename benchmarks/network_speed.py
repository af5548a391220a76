"""How fast the networks are, as ratios of things measured in the same run. Prints JSON lines.

    uv run python -m benchmarks.network_speed [--rounds 10] [--threads 2]

``solov2-light-r18`` at 448x768, network and post-processing, against its 103 GFLOP at the rate at
which this machine multiplies float32 matrices; ``solov2-nano`` with post-processing at 320x544
against the forward pass alone of Ultralytics' yolo11n-seg, if that can be imported. All parts take
turns, and of each the fastest turn counts: ``wall_ms``, and ``cpu_ms`` of all threads together,
which a busy machine disturbs less. The small network runs with its bundled weights on a frame of
the demo at 1280x720, with as many instances as it finds. The weights of the other are random: speed
depends on how many masks there are, so its score threshold lets 30 candidates and 10 instances
through.
"""

import argparse
import importlib
import importlib.util
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from stages.learning.scenes import scene
from stages.networks import make_segmenter
from stages.networks.checkpoint import load
from stages.networks.loading import load_network
from stages.networks.segmenter import Batch
from stages.networks.solov2.builders import solov2_light_r18
from stages.networks.solov2.model import Solov2Segmenter
from stages.networks.solov2.network import Solov2
from stages.networks.solov2.postprocess import cell_scores, detect_valid
from stages.networks.thresholds import Thresholds
from stages.weights.places import locate

SIDE = 1024
LIGHT_GFLOP = 103.0
CANDIDATES, INSTANCES = 30, 10
DEMO_FRAME = 60

Part = Callable[[], object]


@dataclass
class Fastest:
    """The least that a part has taken so far, ms."""

    wall_ms: float = float("inf")
    cpu_ms: float = float("inf")

    def run(self, part: Part) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        part()
        self.cpu_ms = min(self.cpu_ms, (time.process_time() - cpu) * 1e3)
        self.wall_ms = min(self.wall_ms, (time.perf_counter() - wall) * 1e3)


@torch.inference_mode()
def interleaved(parts: Mapping[str, Part], rounds: int) -> dict[str, Fastest]:
    """Each part's fastest turn of ``rounds``, after one to warm up."""
    for part in parts.values():
        part()
    fastest = {name: Fastest() for name in parts}
    for _ in range(rounds):
        for name, part in parts.items():
            fastest[name].run(part)
    return fastest


def say(subject: str, fastest: Mapping[str, Fastest]) -> None:
    for part, best in fastest.items():
        line = {"subject": subject, "part": part}
        print(json.dumps(line | {k: round(v, 2) for k, v in vars(best).items()}), flush=True)


def multiply() -> Part:
    a, b = torch.randn(2, SIDE, SIDE)
    return lambda: a @ b


@torch.inference_mode()
def segmenter(network: Solov2, height: int, width: int) -> tuple[Solov2Segmenter, Batch]:
    """A segmenter of random weights, and a batch of one picture of which it sees something."""
    thresholds = Thresholds(score=0.0, filter=0.0, max_instances=INSTANCES)
    made = Solov2Segmenter(network, network.spec, network.spec.classes, thresholds)
    picture = np.random.default_rng(0).integers(0, 256, (height // 32, width // 32, 3), np.uint8)
    frame = picture.repeat(32, axis=0).repeat(32, axis=1)
    batch = made.prepare([frame])
    scores = cell_scores(made.network(made.normalise(batch.pixels, batch.placements)), thresholds)
    least = float(scores.flatten().topk(CANDIDATES + 1).values[-1])
    made.thresholds = replace(thresholds, score=least)
    return made, batch


def light(rounds: int) -> None:
    made, batch = segmenter(solov2_light_r18(), 448, 768)
    network = made.network
    assert isinstance(network, Solov2)
    with torch.inference_mode():
        x = made.normalise(batch.pixels, batch.placements)
        levels = network.backbone(x)
        pyramid = network.neck(levels)
        output = network(x)
        tensors = made.detect(batch.pixels, batch.placements)
    parts: dict[str, Part] = {
        f"matrix product {SIDE}": multiply(),
        "normalise": lambda: made.normalise(batch.pixels, batch.placements),
        "backbone": lambda: network.backbone(x),
        "neck": lambda: network.neck(levels),
        "mask branch": lambda: network.mask_head.mask_feature_head(pyramid[:4]),
        "whole head": lambda: network.mask_head(pyramid),
        "detections": lambda: detect_valid(output, made.spec.strides, made.thresholds),
        "enlargement": lambda: made.collect(tensors, batch.placements),
        "all": lambda: made.collect(made.detect(batch.pixels, batch.placements), batch.placements),
    }
    fastest = interleaved(parts, rounds)
    say("solov2-light-r18 448x768", fastest)
    product, whole = fastest[f"matrix product {SIDE}"], fastest["all"]
    scale = LIGHT_GFLOP / (2e-9 * SIDE**3)
    wall, cpu = (scale * product.wall_ms, scale * product.cpu_ms)
    verdict = {
        "subject": "solov2-light-r18 448x768",
        "instances": len(tensors["scores.0"]),
        "gflop_per_s": round(LIGHT_GFLOP / wall * 1e3, 1),
        "wall_ratio": round(whole.wall_ms / wall, 3),
        "cpu_ratio": round(whole.cpu_ms / cpu, 3),
        "wanted_at_most": 1.25,
    }
    print(json.dumps(verdict), flush=True)


def nano(rounds: int) -> None:
    network = load_network(load(locate("solov2-nano")))
    made = make_segmenter(network, Thresholds())
    assert isinstance(made, Solov2Segmenter)
    frame, _ = scene("demo", 1280, 720, 25.0, 0).render(DEMO_FRAME)
    batch = made.prepare([frame])
    with torch.inference_mode():
        x = made.normalise(batch.pixels, batch.placements)
        output = made.network(x)
        tensors = made.detect(batch.pixels, batch.placements)
    found = len(made.collect(tensors, batch.placements)[0].scores)
    parts: dict[str, Part] = {
        "network": lambda: made.network(x),
        "detections": lambda: detect_valid(output, made.spec.strides, made.thresholds),
        "enlargement": lambda: made.collect(tensors, batch.placements),
        "all": lambda: made.collect(made.detect(batch.pixels, batch.placements), batch.placements),
    }
    other = yolo()
    if other:
        parts["yolo11n-seg, forward alone"] = lambda: other(x)
    fastest = interleaved(parts, rounds)
    say("solov2-nano 320x544", fastest)
    if other:
        ratio = fastest["yolo11n-seg, forward alone"].wall_ms / fastest["all"].wall_ms
        verdict: dict[str, object] = {
            "instances": found,
            "times_faster": round(ratio, 2),
            "wanted_at_least": 1.5,
        }
    else:
        verdict = {"skipped": "ultralytics is not installed: no comparison with yolo11n-seg"}
    print(json.dumps({"subject": "solov2-nano 320x544"} | verdict), flush=True)


def yolo() -> nn.Module | None:
    """yolo11n-seg, its batch norms folded and channels last, as our network is; None without it."""
    if importlib.util.find_spec("ultralytics") is None:
        return None
    yolo_class = importlib.import_module("ultralytics").YOLO
    model: nn.Module = yolo_class("yolo11n-seg.yaml").model.fuse(verbose=False).eval()
    return model.to(memory_format=torch.channels_last)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=10)
    arguments.add_argument("--threads", type=int, default=2)
    chosen = arguments.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(chosen.threads)
    print(json.dumps({"torch": torch.__version__, "threads": chosen.threads}), flush=True)
    nano(chosen.rounds)
    light(chosen.rounds)


if __name__ == "__main__":
    main()
