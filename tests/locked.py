"""A publisher behind a locked door, for tests: keys in files, and the list of who may in."""

import shutil
from pathlib import Path

from pipeline.client import Subscriber
from pipeline.keys import new_keys
from stages.publish import PublishSettings
from tests.station import ANY_PORT


class House:
    """Keys of a publisher (``server``) and of people, under one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.allowed = folder / "allowed"
        self.allowed.mkdir()
        self.server_key = self.pair("server").with_suffix(".pub")

    def pair(self, name: str) -> Path:
        """The .key file of a new pair."""
        return new_keys(self._folder / name)[0]

    def guest(self, name: str) -> Path:
        """The .key file of somebody who is on the list."""
        key = self.pair(name)
        shutil.copy(key.with_suffix(".pub"), self.allowed)
        return key

    def forget(self, name: str) -> None:
        """Take somebody off the list."""
        (self.allowed / f"{name}.pub").unlink()

    def settings(self, endpoint: str = ANY_PORT, **changes: object) -> PublishSettings:
        keys = str(self.server_key.with_suffix(".key"))
        told = {"endpoint": endpoint, "keys": keys, "allowed": str(self.allowed), **changes}
        return PublishSettings.model_validate(told)

    def subscriber(self, endpoint: str, key: Path, **changes: object) -> Subscriber:
        told = {"keys": key, "server_key": self.server_key, "mode": "all", "timeout_s": 10.0}
        return Subscriber(endpoint, **told | changes)  # type: ignore[arg-type]
