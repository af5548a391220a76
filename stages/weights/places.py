"""What the name of some weights means: an alias, an address or a file."""

import difflib
import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import WeightsError
from pipeline.redact import redact

from .catalogue import CATALOGUE
from .download import Report, cache_directory, fetch, named_hash, nobody


def check(weights: str) -> None:
    """See that ``weights`` can be had, as far as this machine knows.

    :raises WeightsError: it is no alias, no address of a file, and no file.
    """
    if weights in CATALOGUE:
        return
    if "://" in weights:
        cached(weights)
    elif not os.path.exists(weights):  # pathlib's raises where it may not look
        near = difflib.get_close_matches(weights, CATALOGUE)
        guess = f"Did you mean {' or '.join(near)}? " if near else ""
        raise WeightsError(
            where=f"weights {weights}",
            wanted="a file, an address or an alias",
            got="none of them",
            remedy=f"{guess}`weights list` shows the aliases.",
        )


def locate(weights: str, report: Report = nobody) -> Path:
    """The file that ``weights`` means: an alias, an address, or a path; fetched if need be.

    ``report`` is called while something is fetched.

    :raises WeightsError: as ``check``, or it cannot be fetched.
    """
    check(weights)
    place = CATALOGUE[weights].place if weights in CATALOGUE else weights
    if isinstance(place, Path) or "://" not in place:
        return Path(place)
    return fetch(place, cached(place), sha256_prefix=named_hash(place), report=report)


def cached(address: str) -> Path:
    """Where the file at ``address`` is, once fetched; its folder there tells addresses apart.

    :raises WeightsError: it is no address of a file.
    """
    parts = urlsplit(address)
    name = Path(parts.path).name
    if parts.scheme not in ("http", "https") or not name:
        raise WeightsError(
            where=redact(address),
            wanted="the http or https address of a file",
            got=f"the scheme {parts.scheme!r}" if name else "an address without a file name",
            remedy="Fetch the file yourself and give its path.",
        )
    folder = hashlib.sha256(address.encode()).hexdigest()[:12]
    return cache_directory() / "weights" / folder / name
