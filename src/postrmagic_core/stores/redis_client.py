"""Redis for the rooms above, where a Store does not suffice: the same sockets, budget, breaker and errors."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, TypeAlias

from .adapters._redis_client import OneWire, Wires
from .adapters._redis_place import Command, Place
from .adapters._redis_steps import Call, digest_of
from .circuit import Circuit

Argument: TypeAlias = bytes | str | int


class Lua:
    """A script's text, named to the server by its digest."""

    __slots__ = ("digest", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.digest = digest_of(source)

    @classmethod
    def of(cls, package: str, name: str, flags: str = "") -> Lua:
        """``redis_scripts/<name>.lua`` of a package, after ``prelude.lua`` there and the numbers of every script.

        By its first line, which has the ``flags``, the server refuses a script that it must not run (out of memory, a
        replica, a disk that is full) before the script's first step, never halfway:
        https://redis.io/docs/latest/develop/programmability/lua-api/#script-flags
        """
        folder = files(package).joinpath("redis_scripts")
        numbers = files("postrmagic_core.stores.scripts").joinpath("numbers.lua")
        parts = [numbers, *(folder.joinpath(f"{part}.lua") for part in ("prelude", name))]
        return cls("\n".join([f"#!lua {flags}".rstrip(), *(part.read_text(encoding="utf-8") for part in parts)]))


class RedisClient:
    """A server or its Sentinels; no I/O before the first call, a connection for each thread that calls.

    ``timeout``: seconds an exchange may take, connecting included. Nothing is sent twice; a write whose answer was lost
    is ``OutcomeUnknown``.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self._start(Place(url), timeout)

    def _start(self, place: Place, timeout: float) -> None:
        self._place = place
        self._timeout = timeout
        self._wires = Wires(place, timeout, Circuit("redis", timeout))

    def patient(self, seconds: float) -> RedisClient:
        """Another one, to the same place, for commands that may block for ``seconds``."""
        other = RedisClient.__new__(RedisClient)
        other._start(self._place, self._timeout + seconds)
        return other

    def line(self) -> RedisClient:
        """Another one, to the same place, with one connection in all: once that is lost, every call is refused."""
        other = RedisClient.__new__(RedisClient)
        other._start(self._place, self._timeout)
        other._wires = OneWire(self._place, self._timeout, Circuit("redis", self._timeout))
        return other

    def commands(self, *commands: Command, writes: bool, patience: float = 0.0) -> list[Any]:
        """The replies of commands sent together; the first error among them is raised.

        ``patience``: seconds for which one of them may block, beside the time-out.
        """
        return self._wires.exchange(commands, writes=writes, patience=patience)

    def run(self, lua: Lua, keys: Sequence[Argument], args: Sequence[Argument], *, writes: bool = True) -> Any:
        """What the script answers. A server that does not know it has done nothing yet, and is taught it."""
        tail: Command = (len(keys), *keys, *args)
        return self._wires.call(Call(("EVALSHA", lua.digest, *tail), ("EVAL", lua.source, *tail), writes))

    def close(self) -> None:
        """Close every thread's connection, also under the hands of one that waits."""
        self._wires.close()
