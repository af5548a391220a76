"""The command ``weights``: what there is, fetching it, converting it, looking into it."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.errors import CheckpointMismatch, ConfigError, Mistake

from ..weights.bar import download_progress
from ..weights.catalogue import CATALOGUE, Published
from ..weights.places import cached, locate
from .checkpoint import Checkpoint, load, save
from .fitting import class_count
from .loading import load_network, network_of

weights_app = typer.Typer(
    help="Weights: list what is published, fetch it, convert files, look into them.",
    no_args_is_help=True,
    add_completion=False,
    epilog="Examples:\n  run_stream.py weights fetch solov2-light-r18-coco\n"
    "  run_stream.py weights inspect solov2-nano\n"
    "  run_stream.py weights convert model.pth model.safetensors",
)

_SHOWN_CLASSES = 5
WeightsArgument = Annotated[str, typer.Argument(help="A file, an address or an alias.")]


@weights_app.command("list")
def list_weights() -> None:
    """Show the names of published weights, their licences and where they are."""
    for published in CATALOGUE.values():
        typer.echo(f"{published.alias}: {published.network}, {published.trained}")
        typer.echo(f"    {published.licence}, {_where(published)}")


def _where(published: Published) -> str:
    if isinstance(published.place, Path):
        return "bundled"
    path = cached(published.place)
    return f"fetched to {path}" if path.exists() else f"to be fetched from {published.place}"


@weights_app.command("fetch")
def fetch_weights(
    weights: Annotated[str, typer.Argument(metavar="ALIAS", help="An alias or an address.")],
) -> None:
    """Download published weights into the cache and print where they are."""
    if "://" not in weights and weights not in CATALOGUE:
        raise ConfigError(
            "weights fetch",
            [Mistake("ALIAS", f"one of {', '.join(CATALOGUE)}, or an address", repr(weights))],
            "`weights list` shows what each one is",
        )
    typer.echo(_located(weights))


def _located(weights: str) -> Path:
    with download_progress(Console(stderr=True)) as report:
        return locate(weights, report)


@weights_app.command("convert")
def convert_weights(
    source: Annotated[str, typer.Argument(metavar="IN", help="A file, an address or an alias.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The safetensors file to write.")],
    network: Annotated[str | None, typer.Option(help="The network that it must be of.")] = None,
    classes: Annotated[
        str | None, typer.Option(help="Class names, separated by commas, where the file has none.")
    ] = None,
) -> None:
    """Write weights of any dialect as safetensors that say what they are.

    The file is checked against its network, every key and shape.
    """
    checkpoint = load(_located(source))
    names = classes.split(",") if classes else None
    loaded = load_network(checkpoint, network, names)
    kept = {
        key: checkpoint.tensors[key] for key in loaded.state_dict() if key in checkpoint.tensors
    }
    said = replace(checkpoint.metadata, network=loaded.spec.name, classes=loaded.spec.classes)
    save(target, kept, said)
    typer.echo(f"{target}: {loaded.spec.name}, {len(kept)} tensors, sha256 {load(target).sha256}")


@weights_app.command("inspect")
def inspect_weights(weights: WeightsArgument) -> None:
    """Show what a file is: network, dialect, classes, size, hash and what else it says."""
    checkpoint = load(_located(weights))
    for name, value in _facts(checkpoint).items():
        typer.echo(_printable(f"{name + ':':<16} {value}"))


def _printable(text: str) -> str:
    """``text`` of a file that anybody may have written, without codes that move the cursor."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _facts(checkpoint: Checkpoint) -> dict[str, str]:
    tensors, said = checkpoint.tensors.values(), checkpoint.metadata
    parameters = sum(tensor.numel() for tensor in tensors if tensor.is_floating_point())
    return {
        "file": checkpoint.source,
        "sha256": checkpoint.sha256,
        "dialect": checkpoint.dialect,
        "network": _network(checkpoint),
        "classes": _classes(checkpoint),
        "tensors": f"{len(tensors)}, {parameters:,} numbers of"
        f" {' and '.join(sorted({str(tensor.dtype)[6:] for tensor in tensors}))}",
        "preprocessing": str(said.preprocessing or "the network's"),
    } | {f"says {key}": value for key, value in sorted(said.notes.items())}


def _network(checkpoint: Checkpoint) -> str:
    try:
        return network_of(checkpoint)
    except CheckpointMismatch as mismatch:
        return f"none of ours: {mismatch.got}. {mismatch.remedy}"


def _classes(checkpoint: Checkpoint) -> str:
    count, names = class_count(checkpoint.tensors), checkpoint.metadata.classes
    if names is None:
        return f"{count if count is not None else 'an unknown number'}, not named in the file"
    shown = ", ".join(names[:_SHOWN_CLASSES])
    return f"{len(names)}: {shown}{', …' if len(names) > _SHOWN_CLASSES else ''}"
