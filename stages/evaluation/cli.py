"""The command ``evaluate``: masks, tracks, and the whole program, as tables and figures."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from pipeline.config import Settings, load
from pipeline.errors import ConfigError, Mistake
from pipeline.folders import check_writable
from pipeline.summary import ProgressLine
from stages.tracking.tracker import TrackConfig

from .curves import draw_curves
from .judged import metrics_of, print_judged
from .report import shown, write_metrics
from .tracks import class_names, print_tracks, score_detections, score_results

evaluate_app = typer.Typer(
    help="Evaluate: masks of networks, tracks, or the whole program, against the truth.",
    no_args_is_help=True,
    add_completion=False,
    epilog="Examples:\n  run_stream.py evaluate masks val.json --weights mine.safetensors\n"
    "  run_stream.py evaluate masks val.json=images --networks solov2-nano,mine.safetensors\n"
    "  run_stream.py evaluate tracks --ground-truth gt --results out\n"
    "  run_stream.py evaluate tracks --ground-truth gt --detections dets --set track.lost_s=2\n"
    "  run_stream.py evaluate stream 'synthetic:demo?live=1'",
)

OutOption = Annotated[
    Path | None, typer.Option("--out", help="A folder for metrics.json and curves.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change any key of the configuration."),
]
Device = Literal["auto", "cpu", "cuda"]
CURVES = "precision-recall.png"


class Tuning(Settings):
    """What ``evaluate tracks --detections`` lets one change."""

    track: TrackConfig = TrackConfig()


@evaluate_app.command("masks")
def evaluate_masks(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="A COCO instance file, FILE=PICTURE_FOLDER, or synthetic:SCENE."
        ),
    ],
    weights: Annotated[
        str | None, typer.Option(help="A file, an address or an alias; solov2-nano without.")
    ] = None,
    networks: Annotated[
        str | None, typer.Option(help="Several weights, separated by commas, side by side.")
    ] = None,
    results: Annotated[
        list[Path] | None, typer.Option(help="COCO results instead of weights; may be repeated.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Classes that count, separated by commas.")
    ] = None,
    device: Annotated[Device, typer.Option(help="auto, cpu or cuda.")] = "auto",
    size: Annotated[
        str | None, typer.Option(help="Long x short side of the network's canvas, px: 544x320.")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: all cores.")] = 0,
    out: OutOption = None,
) -> None:
    """AP and AR of masks and boxes, as COCO counts them, with the time of each part."""
    from .masks import judge_networks, judge_results  # noqa: PLC0415  (torch takes seconds)

    wanted = [name for part in (classes or "").split(",") if (name := part.strip())]
    names = _networks(weights, networks, results or [])
    if out is not None:
        check_writable(out, "--out")
    if results:
        source, judged = judge_results(data, results, wanted)
    else:
        sides = _sides(size)
        source, judged = judge_networks(
            data, names, wanted, device=device, size=sides, threads=threads
        )
    print_judged(f"{source.name}, {source.count} pictures", judged)
    for remark in source.remarks:
        _say(remark)
    if out is not None:
        _say(str(write_metrics(out, metrics_of(judged))))  # first: for curves, a package may lack
        draw_curves(out / CURVES, {each.name: each.curves for each in judged})
        _say(str(out / CURVES))


@evaluate_app.command("tracks")
def evaluate_tracks(
    truth: Annotated[
        Path, typer.Option("--ground-truth", help="A folder of <sequence>.txt in MOTS format.")
    ],
    results: Annotated[
        Path | None, typer.Option(help="A folder of <sequence>.txt (MOTS) or .jsonl (recordings).")
    ] = None,
    detections: Annotated[
        Path | None, typer.Option(help="Masks without identities: our tracker is run on them.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Names of the numbers, such as car=1,person=2.")
    ] = None,
    changes: SetOption = None,
    out: OutOption = None,
) -> None:
    """HOTA, identity and MOTS figures of tracks, by TrackEval."""
    names = class_names(classes)
    tuning = load(Tuning, overrides=changes or [])
    if (results is None) == (detections is None) or (results and changes):
        mistake = Mistake("--results, --detections", "one of the two", "both or none")
        if results and changes:
            mistake = Mistake("--set", "--detections with it", "--results: they are tracked")
        raise ConfigError("evaluate tracks", [mistake], "See evaluate tracks --help")
    if out is not None:
        check_writable(out, "--out")
    if results is not None:
        scores = score_results(truth, results, names, shown)
    else:
        assert detections is not None
        scores = score_detections(truth, detections, names, tuning.track, shown)
    print_tracks(scores)
    if out is not None:
        _say(str(write_metrics(out, scores.metrics())))


@evaluate_app.command("stream")
def evaluate_stream(
    scene: Annotated[str, typer.Argument(metavar="SCENE", help="synthetic:NAME[?live=1…]")],
    config: Annotated[Path | None, typer.Option(help="A TOML file, as in run.")] = None,
    weights: Annotated[str | None, typer.Option(help="A file, an address or an alias.")] = None,
    changes: SetOption = None,
    out: OutOption = None,
) -> None:
    """The whole program on a scene with known truth: masks, tracks, and the age of results."""
    from .stream import print_stream, score_stream  # noqa: PLC0415  (torch takes seconds)

    if out is not None:
        check_writable(out, "--out")
    given = [f"segment.weights={json.dumps(weights)}"] if weights else []
    with ProgressLine(Console(stderr=True)) as line:
        scores = score_stream(scene, config, [*(changes or []), *given], line)
    print_stream(scene, scores)
    if out is not None:
        _say(str(write_metrics(out, scores.metrics())))


def _networks(weights: str | None, networks: str | None, results: list[Path]) -> list[str]:
    given = [bool(weights), bool(networks), bool(results)]
    if sum(given) > 1:
        mistake = Mistake("--weights, --networks, --results", "one of the three", "several")
        raise ConfigError("evaluate masks", [mistake], "Name all weights with --networks a,b")
    if networks is None:
        return [weights or "solov2-nano"]
    names = [name.strip() for name in networks.split(",")]
    if not all(names) or len(set(names)) < len(names):
        mistake = Mistake("--networks", "different names, separated by commas", repr(networks))
        raise ConfigError("evaluate masks", [mistake], "Name each of the weights once")
    return names


def _sides(size: str | None) -> tuple[int, int] | None:
    if size is None:
        return None
    long_px, _, short_px = size.partition("x")
    if not (long_px.isdigit() and short_px.isdigit() and int(long_px) >= int(short_px) > 0):
        mistake = Mistake("--size", "long x short side in px, such as 544x320", repr(size))
        raise ConfigError("evaluate masks", [mistake], "Correct the option")
    return int(long_px), int(short_px)


def _say(text: str) -> None:
    Console(stderr=True).print(text, highlight=False, soft_wrap=True)
