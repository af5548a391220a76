"""A file from the net into the cache: resumed after a broken connection, believed by its hash."""

import base64
import hashlib
import http
import http.client
import logging
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pipeline.errors import WeightsError
from pipeline.redact import redact

logger = logging.getLogger("maskstream.weights")

Report = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes of the whole, None if nobody knows."""

_CHUNK_BYTES = 1 << 18
_WORTH_ANOTHER_TRY = frozenset({408, 425, 429, 500, 502, 503, 504})
_SPAN = re.compile(r"bytes (?P<first>\d+)-\d+/(?P<whole>\d+|\*)")
_NAMED_HASH = re.compile(r"-([0-9a-f]{8,64})\.\w+$")


def cache_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where fetched weights are kept: ``MASKSTREAM_CACHE``, else the user's cache directory."""
    if own := environment.get("MASKSTREAM_CACHE"):
        return Path(own)
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskstream"


def named_hash(address: str) -> str:
    """The first digits of the SHA-256 that the name of a file ends with, if it does."""
    match = _NAMED_HASH.search(urllib.parse.urlsplit(address).path)
    return match[1] if match else ""


def nobody(_done_bytes: int, _whole_bytes: int | None) -> None:
    """Report to nobody."""


def fetch(
    address: str,
    target: Path,
    *,
    sha256_prefix: str = "",
    report: Report = nobody,
    tries: int = 5,
    timeout_s: float = 20.0,
    pause: Callable[[float], None] = time.sleep,
) -> Path:
    """Get ``address`` as ``target``, unless it is there, and return ``target``.

    What arrives lies in ``target`` + ``.part`` until it is whole and its hash begins with
    ``sha256_prefix``. A part that was left by an earlier run is continued only where such a prefix
    will judge the result. ``tries`` counts those in a row that brought nothing; ``timeout_s`` is
    how long a connection may be silent.

    :raises WeightsError: not there, not reachable, not writable, or not the right file.
    """
    if target.exists():
        return target
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not sha256_prefix:
            part.unlink(missing_ok=True)
        continued = part.exists()
        if not (continued and _is_right(part, sha256_prefix)):
            _Transfer(address, part, report, timeout_s).complete(tries, pause)
        if continued and not _is_right(part, sha256_prefix):
            logger.warning("%s: the part of an earlier run was of another file", part)
            part.unlink()
            _Transfer(address, part, report, timeout_s).complete(tries, pause)
        _check_hash(address, part, sha256_prefix)
        return part.replace(target)
    except OSError as error:
        raise WeightsError(
            where=str(target),
            wanted="room for a download",
            got=error.strerror or str(error),
            remedy="Make room, or set MASKSTREAM_CACHE to another directory.",
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_right(part: Path, sha256_prefix: str) -> bool:
    return _sha256(part).startswith(sha256_prefix)


def _check_hash(address: str, part: Path, sha256_prefix: str) -> None:
    sha256 = _sha256(part)
    if not sha256.startswith(sha256_prefix):
        part.unlink()
        raise WeightsError(
            where=redact(address),
            wanted=f"a file with the SHA-256 {sha256_prefix}…",
            got=f"{sha256[: max(8, len(sha256_prefix))]}…",
            remedy="It was deleted. Try again; if it stays so, the file there is another one.",
        )


class _Broken(Exception):
    """A transfer that is worth another try; the message says what happened."""


class _Transfer:
    """One file on its way: as many requests as it takes, each continuing the one before."""

    def __init__(self, address: str, part: Path, report: Report, timeout_s: float) -> None:
        self._address = address
        self._part = part
        self._report = report
        self._timeout_s = timeout_s
        self._version = ""  # the server's name for what the part is a part of

    def complete(self, tries: int, pause: Callable[[float], None]) -> None:
        """Return when the part is the whole.

        :raises WeightsError: given up. :raises OSError: the part cannot be written.
        """
        failures = 0
        while True:
            before_bytes = self._have_bytes()
            try:
                self._request(before_bytes)
                return
            except _Broken as broken:
                failures = 1 if self._have_bytes() > before_bytes else failures + 1
                if failures >= tries:
                    raise self._failed(
                        broken, "Try again later: it goes on from there."
                    ) from broken
                logger.info("%s: %s, trying again", redact(self._address), broken)
            pause(min(0.5 * 2**failures, 10.0))

    def _have_bytes(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _failed(self, reason: object, remedy: str) -> WeightsError:
        return WeightsError(
            where=redact(self._address),
            wanted="a whole file",
            got=f"{redact(str(reason))} after {self._have_bytes()} bytes",
            remedy=remedy,
        )

    def _request(self, have_bytes: int) -> None:
        """Ask for the rest and append it; :raises _Broken: some of it did not come."""
        with self._open(have_bytes) as response:
            start_bytes, whole_bytes = self._place(response, have_bytes)
            headers = response.headers
            self._version = headers.get("ETag", headers.get("Last-Modified", ""))
            with self._part.open("ab" if start_bytes else "wb") as file:
                self._report(start_bytes, whole_bytes)
                for piece in _pieces(response):
                    file.write(piece)
                    self._report(file.tell(), whole_bytes)
        if whole_bytes is not None and self._have_bytes() != whole_bytes:
            raise _Broken(f"the connection ended before the last of {whole_bytes} bytes")

    def _open(self, have_bytes: int) -> http.client.HTTPResponse:
        headers = {"User-Agent": "maskstream", "Accept-Encoding": "identity"}
        if have_bytes:
            headers["Range"] = f"bytes={have_bytes}-"
            if self._version and not self._version.startswith("W/"):
                headers["If-Range"] = self._version
        try:
            request = _request_to(self._address, headers)
            response: http.client.HTTPResponse = urllib.request.urlopen(
                request, timeout=self._timeout_s
            )
            return response
        except urllib.error.HTTPError as error:
            raise self._answer(error) from error
        except (http.client.InvalidURL, ValueError) as error:
            raise self._failed(error, "Give a whole http:// or https:// address.") from error
        except (OSError, http.client.HTTPException) as error:
            raise _Broken(_reason(error)) from error

    def _answer(self, error: urllib.error.HTTPError) -> Exception:
        """What an answer that is not a file means."""
        with error:
            text = f"HTTP {error.code} {error.reason}"
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._part.unlink()  # longer than the file: not a part of it
                return _Broken(text)
            if error.code in _WORTH_ANOTHER_TRY:
                return _Broken(text)
            return self._failed(text, "Look whether the address is right and open to all.")

    def _place(self, response: http.client.HTTPResponse, have_bytes: int) -> tuple[int, int | None]:
        """Where in the file the answer begins, and how long the whole is, bytes."""
        length = response.headers.get("Content-Length", "")
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            return 0, int(length) if length.isdecimal() else None
        span = _SPAN.fullmatch(response.headers.get("Content-Range", ""))
        if span is None or int(span["first"]) != have_bytes:
            self._part.unlink()
            raise _Broken("another part than the one that was asked for")
        return have_bytes, None if span["whole"] == "*" else int(span["whole"])


def _request_to(address: str, headers: Mapping[str, str]) -> urllib.request.Request:
    """A request that says ``user:password@`` of ``address`` in a header, and to no other host."""
    parts = urllib.parse.urlsplit(address)
    user, at, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=host).geturl(), headers=dict(headers))
    if at:
        token = base64.b64encode(urllib.parse.unquote(user).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while piece := response.read1(_CHUNK_BYTES):
            yield piece
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(_reason(error)) from error


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", error)
    return f"{type(inner).__name__} ({inner})"
