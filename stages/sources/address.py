"""What a user writes for SOURCE, as a list of streams with names of their own.

``[name=]SOURCE``: a file, a picture, a folder or glob of them, ``rtsp(s)://…``, ``http(s)://…``,
a webcam (``/dev/video0``, ``webcam:0``) or ``synthetic:NAME[?size=640x360&fps=25&seed=0&live=1]``.
A folder gives one stream for each video in it and one for all its pictures.

Whether a file is there is found out when its stream starts, so that one missing file does not
keep the others from running.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from glob import glob, has_magic
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pipeline.errors import ConfigError, Mistake
from pipeline.redact import redact

Kind = Literal["file", "pictures", "rtsp", "http", "webcam", "synthetic"]
SCHEMES: dict[str, Kind] = {"rtsp": "rtsp", "rtsps": "rtsp", "http": "http", "https": "http"}
PICTURE = re.compile(r"\.(jpg|jpeg|jpe|png|bmp|dib|webp|tif|tiff|ppm|pgm|pbm|jp2)", re.IGNORECASE)
VIDEO = re.compile(
    r"\.(mp4|m4v|mov|mkv|webm|avi|ts|m2ts|mts|flv|f4v|wmv|asf|mpg|mpeg|vob|ogv|ogg|3gp|3g2|gif|mjpeg"
    r"|mjpg|h264|264|h265|265|hevc|ivf|y4m|mxf|nut)",
    re.IGNORECASE,
)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
REMEDY = (
    "A source is a file, a folder, a glob, rtsp://…, http://…, /dev/video0, webcam:0 or "
    "synthetic:NAME, with a name and = before it if you like"
)


@dataclass(frozen=True)
class SourceSpec:
    """One stream to open. ``address`` may hold a password: show ``shown`` instead.

    ``paths``: the pictures of a stream of pictures, in order; empty where none were found.
    """

    stream: str
    kind: Kind
    address: str = field(repr=False)
    paths: tuple[Path, ...] = field(default=(), repr=False)

    @property
    def shown(self) -> str:
        """The address without credentials."""
        return redact(self.address)


def parse_sources(sources: Sequence[str]) -> list[SourceSpec]:
    """Every stream of ``sources``, in order, each with a name that no other has.

    :raises ConfigError: for what cannot be a source and names used twice, all at once.
    """
    mistakes: list[Mistake] = []
    named: list[tuple[str | None, SourceSpec]] = []
    for source in sources:
        name, address = _split_name(source)
        wrong = _mistake(address)
        if wrong:
            mistakes.append(Mistake(redact(source) or "''", *wrong))
            continue
        named += [(name, spec) for spec in _expand(address)]
    given = [_split_name(source)[0] for source in sources]
    for name in sorted({name for name in given if name and given.count(name) > 1}):
        mistakes.append(Mistake(name, "a name for one source", "a name for several"))
    if mistakes:
        raise ConfigError("SOURCE", mistakes, REMEDY)
    return _unique(named)


def _split_name(source: str) -> tuple[str | None, str]:
    name, equals, address = source.partition("=")
    if not equals or not NAME.fullmatch(name) or os.path.exists(source):
        return None, source  # the = belongs to a path or a query
    return name, address


def _mistake(address: str) -> tuple[str, str] | None:
    scheme = SCHEME.match(address)
    if not address.strip():
        return "a source", "nothing"
    if scheme and scheme["scheme"].lower() not in SCHEMES:
        return "rtsp(s)://… or http(s)://…", f"{scheme['scheme']}://"
    if scheme and not _host(address):
        return "a host after ://", "none"
    if address.startswith("webcam:") and not address.removeprefix("webcam:").isdigit():
        return "webcam:NUMBER, such as webcam:0", address
    return None


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # brackets that are not an IPv6 address
        return ""


def _expand(address: str) -> Iterator[SourceSpec]:
    scheme = SCHEME.match(address)
    if scheme:
        # No name shows a password: some stand in the path or the query, which redact knows, and
        # some have a / that should have been escaped, so only what is behind the last @ counts.
        place = re.split(r"[?#]", redact(address)[scheme.end() :].rpartition("@")[2])[0]
        name = re.sub(r":\d+(?=/|$)", "", place)
        yield SourceSpec(_slug(name), SCHEMES[scheme["scheme"].lower()], address)
    elif address.startswith("synthetic:"):
        name = address.removeprefix("synthetic:").partition("?")[0]
        yield SourceSpec(_slug(name), "synthetic", address)
    elif address.startswith("webcam:"):
        number = address.removeprefix("webcam:")
        yield SourceSpec(f"webcam-{number}", "webcam", f"/dev/video{number}")
    elif re.fullmatch(r"/dev/video\d+", address):
        yield SourceSpec(_slug(Path(address).name), "webcam", address)
    else:
        yield from _expand_path(address)


def _expand_path(address: str) -> Iterator[SourceSpec]:
    # os.path's: pathlib's raise for a folder that may not be entered, or an unknown user's home
    path = Path(os.path.expanduser(address))
    if os.path.isdir(path) and _is_open(path):
        files = [file for file in path.iterdir() if _is_picture(file) or _is_video(file)]
        name = _shown(path.resolve()).name
    elif has_magic(address) and not os.path.exists(path):
        files = [Path(match) for match in glob(str(path), recursive=True)]
        name = _shown(path.parent.resolve()).name
    else:
        kind: Kind = "pictures" if _is_picture(path) or os.path.isdir(path) else "file"
        yield SourceSpec(_slug(_shown(path).stem), kind, str(path), (path,))
        return
    files = sorted((file for file in files if os.path.isfile(file)), key=natural_order)
    yield from _expand_files(files, address, _slug(name))


def _shown(path: Path) -> Path:
    """``path`` without credentials: it may be an address in which a slash is missing."""
    return Path(redact(str(path)))


def _expand_files(files: list[Path], address: str, name: str) -> Iterator[SourceSpec]:
    pictures = tuple(file for file in files if _is_picture(file))
    for file in files:
        if file not in pictures:
            yield SourceSpec(_slug(file.stem), "file", str(file), (file,))
    if pictures or not files:
        yield SourceSpec(name, "pictures", address, pictures)


def _is_open(folder: Path) -> bool:
    """If this user may list it; if not, that is the error of its stream."""
    try:
        next(folder.iterdir(), None)
    except OSError:
        return False
    return True


def _is_picture(path: Path) -> bool:
    return PICTURE.fullmatch(path.suffix) is not None


def _is_video(path: Path) -> bool:
    return VIDEO.fullmatch(path.suffix) is not None


def natural_order(path: Path) -> list[tuple[int, str]]:
    """A sort key by which frame2 comes before frame10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "stream"


def _unique(named: Sequence[tuple[str | None, SourceSpec]]) -> list[SourceSpec]:
    taken = {name for name, _ in named if name}
    first = set(taken)
    specs = []
    for name, spec in named:
        stem = name or spec.stream
        stream, count = stem, 1
        while stream in taken and not (name in first and stream == name):
            count += 1
            stream = f"{stem}-{count}"
        first.discard(stream)
        taken.add(stream)
        specs.append(replace(spec, stream=stream))
    return specs
