"""The commands that are compared: ours in its three steps, and sqlite3-to-mysql's one."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from .processes import Finished, finished, module

OURS, OURS_VERIFIED, OURS_WHOLE, PEER = "run", "run and verify", "plan, run and verify", "sqlite3-to-mysql"
# A plan may need a person's decision: status 3.
_PLANNED = frozenset({0, 3})


class Ours:
    """``postrmagic db transfer`` from ``source`` into the empty database of ``url``, its plan in ``folder``."""

    def __init__(self, source: Path, url: str, folder: Path) -> None:
        self._source, self._url, self._plan = str(source), url, folder / "plan.toml"

    def plan(self) -> Finished:
        """Read the source, write the plan."""
        return self._step("plan", self._source, self._url, "--out", str(self._plan), "--replace")

    def run(self) -> Finished:
        """Move every row."""
        return self._step("run", str(self._plan))

    def verify(self) -> Finished:
        """Compare both sides."""
        return self._step("verify", str(self._plan))

    def _step(self, name: str, *arguments: str) -> Finished:
        command = module("postrmagic_core.cli", "db", "transfer", name, *arguments)
        return finished(command, _PLANNED if name == "plan" else frozenset({0}))


def peer_program() -> Path:
    """sqlite3-to-mysql's command; :class:`ImportError` where it is not installed."""
    if find_spec("sqlite3_to_mysql") is None:
        raise ImportError(name="sqlite3-to-mysql")
    return Path(sys.executable).with_name("sqlite3mysql")


def copied(program: Path, source: Path, url: str) -> Finished:
    """sqlite3-to-mysql with its defaults, as its own page shows it."""
    place = urlsplit(url)
    server = ["-h", str(place.hostname), "-P", str(place.port), "-u", str(place.username)]
    return finished([str(program), "-f", str(source), "-d", place.path[1:], *server, "--quiet"])
