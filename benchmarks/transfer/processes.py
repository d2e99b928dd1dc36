"""A command as a process of its own: how long it takes, and how much memory it has at most."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PEAK = re.compile(rb"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class Finished:
    """What a command took: ``seconds`` from its start to its end, ``peak`` bytes of memory at most."""

    seconds: float
    peak: int


def finished(command: Sequence[str], expected: frozenset[int] = frozenset({0})) -> Finished:
    """Run it; :class:`RuntimeError` with what it said where its exit status is none of ``expected``.

    The kernel's own mark of the highest memory is read while it runs: what a process reports at its end counts also
    the memory of the process that started it.
    """
    with tempfile.TemporaryFile() as said:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        peak = 0
        while process.poll() is None:
            peak = max(peak, _high_water(process.pid))
            time.sleep(0.005)
        seconds = time.perf_counter() - begin
        if process.returncode not in expected:
            said.seek(0)
            told = said.read()[-2000:].decode(errors="replace")
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{told}")
    return Finished(seconds, peak)


def _high_water(pid: int) -> int:
    try:
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_bytes())
    except OSError:  # it has just ended
        return 0
    return int(found[1]) * 1024 if found else 0


def module(name: str, *arguments: str) -> list[str]:
    """``python -m NAME`` with these arguments."""
    return [sys.executable, "-m", name, *arguments]
