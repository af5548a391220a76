"""Keys of CURVE: who may publish, who may listen, and how a socket is locked with them.

A pair is a file NAME.key, which only its owner can read, and NAME.pub, to be given to others. A
public key is 40 characters of Z85 (ZeroMQ RFC 32), the same that every client of ZeroMQ takes.
"""

import os
import stat
import struct
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import zmq
from zmq.utils import z85

from .errors import AccessError

KEY_CHARACTERS, KEY_BYTES = 40, 32
LARGEST_FILE_BYTES = 4_096
SECRET_MODE = 0o600
ZAP_DOMAIN = b"maskstream"
HANDSHAKE_MS = 10_000
"""Whoever has not shaken hands by then is cut off."""
MAKE_THEM = "Make a pair with `run_stream.py keys new NAME`"

Socket = zmq.Socket[bytes]


@dataclass(frozen=True)
class Keys:
    """A pair, each half in Z85. The secret one is in no ``repr``, log or message."""

    public: str
    secret: str = field(repr=False)


def new_keys(path: Path) -> tuple[Path, Path]:
    """Make a pair; its two files, ``path``.key with mode 0600 and ``path``.pub.

    :raises AccessError: when one of them is there already, or cannot be written.
    """
    if not path.name or not path.name.isprintable():
        remedy = "Name it after who it is for: run_stream.py keys new ann"
        raise _refused(path, "a name of printable characters", repr(path.name), remedy)
    public, secret = (half.decode() for half in zmq.curve_keypair())
    private, shown = path.with_name(f"{path.name}.key"), path.with_name(f"{path.name}.pub")
    both = f"# Keys of a maskstream. Keep this file secret.\npublic = '{public}'\n"
    _write(private, f"{both}secret = '{secret}'\n", SECRET_MODE)
    try:
        _write(shown, f"{public} {path.name}\n", 0o644)
    except AccessError:
        private.unlink()
        raise
    return private, shown


def read_keys(path: Path) -> Keys:
    """The pair in a .key file.

    :raises AccessError: when it is missing, readable by others, or not a pair.
    """
    text = _read(path, secret=True)
    try:
        table: Mapping[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # its message may show what is in the file
        table = {}
    public, secret = table.get("public"), table.get("secret")
    if set(table) != {"public", "secret"} or not (_is_key(public) and _is_key(secret)):
        raise _refused(path, "a public and a secret key", "something else", MAKE_THEM)
    if zmq.curve_public(str(secret).encode()).decode() != public:
        raise _refused(path, "two keys of one pair", "two that do not fit", MAKE_THEM)
    return Keys(str(public), str(secret))


def read_public(key: str | Path) -> str:
    """A public key: given as such, or in a .pub or .key file.

    :raises AccessError: when it is neither.
    """
    if isinstance(key, str) and _is_key(key):
        return key
    path = Path(key)
    if path.suffix == ".key":
        return read_keys(path).public
    found = parse_public(_read(path, secret=False), path)
    if len(found) != 1:
        raise _refused(path, "one public key", f"{len(found)} keys", "Give the .pub file of one")
    return found[0]


def parse_public(text: str, path: Path) -> list[str]:
    """Public keys, one at the start of each line; what follows it, and lines of #, are remarks.

    :raises AccessError: for any other line.
    """
    words = [line.split()[0] for line in text.splitlines() if line.strip()]
    # a key may begin with #, a remark begins with # and a space
    keys = [word for word in words if _is_key(word) or word.strip("#")]
    if wrong := next((number for number, key in enumerate(keys, 1) if not _is_key(key)), None):
        got = f"something else as entry {wrong}"
        raise _refused(path, "public keys of 40 characters, one a line", got, MAKE_THEM)
    return keys


def lock_server(sock: Socket, keys: Keys) -> None:
    """Encrypt a socket that will be bound, and let the context's ZAP handler say who may come.

    Where none answers, nobody may.
    """
    sock.set(zmq.CURVE_SERVER, 1)
    sock.set(zmq.CURVE_SECRETKEY, keys.secret.encode())
    sock.set(zmq.ZAP_DOMAIN, ZAP_DOMAIN)
    sock.set(zmq.ZAP_ENFORCE_DOMAIN, 1)  # or libzmq lets everybody in where no handler is
    sock.set(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)


def lock_client(sock: Socket, keys: Keys, server_key: str) -> None:
    """Encrypt a socket that will connect, to a publisher with this public key and no other."""
    sock.set(zmq.CURVE_SERVERKEY, server_key.encode())
    sock.set(zmq.CURVE_PUBLICKEY, keys.public.encode())
    sock.set(zmq.CURVE_SECRETKEY, keys.secret.encode())


def _is_key(value: object) -> bool:
    if not isinstance(value, str) or len(value) != KEY_CHARACTERS or not value.isascii():
        return False
    try:
        return z85.encode(z85.decode(value)) == value.encode()
    except (ValueError, KeyError, struct.error):
        return False


def _write(path: Path, text: str, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        remedy = "Take another name, or remove it if nobody needs it any more"
        raise _refused(path, "a new file", "one that is there already", remedy) from error
    except OSError as error:
        remedy = "Take a folder that is there and can be written to"
        raise _refused(path, "a new file", error.strerror or str(error), remedy) from error


def _read(path: Path, *, secret: bool) -> str:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise _refused(
            path, "a file with a key", error.strerror or str(error), MAKE_THEM
        ) from error
    if secret and os.name == "posix" and mode & 0o077:
        got = f"one that others can read (mode {mode:04o})"
        raise _refused(path, "a file for its owner alone", got, f"chmod 600 {path}")
    if len(content) > LARGEST_FILE_BYTES:
        raise _refused(path, "a file with a key", "a large one", MAKE_THEM)
    return content.decode("utf-8", "replace")


def _refused(path: Path, wanted: str, got: str, remedy: str) -> AccessError:
    return AccessError(where=str(path), wanted=wanted, got=got, remedy=remedy)
