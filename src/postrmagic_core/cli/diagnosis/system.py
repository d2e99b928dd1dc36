"""The machine: how many files a process may open, and whether its clock is kept right."""

from __future__ import annotations

import ctypes
import resource
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ..._clock import from_us
from .interface import Finding, Patient, graver, ok, problem

FEWEST_FILES = 256
FEW_FILES = 1024
# The state that adjtimex(2) returns where nothing keeps the clock right.
_UNSYNCHRONIZED = 5
# No release of this package is older: a clock that says so was never set.
_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)


def look(patient: Patient) -> Iterator[Finding]:
    """Limits and clock."""
    try:
        Path.cwd()
    except OSError:
        yield problem("the directory in which this runs is gone", "cd to where the application is, and look again")
    yield from files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield from clock(from_us(patient.clock.now_us()), kept())


def files(limit: int) -> Iterator[Finding]:
    """Whether connections, log files and databases of a busy process fit into its limit of open files."""
    if limit != resource.RLIM_INFINITY and limit < FEW_FILES:
        yield graver(
            limit < FEWEST_FILES,
            f"a process may open {limit} files: connections and log files are refused beyond",
            "raise it to 65536: `ulimit -n`, LimitNOFILE= of systemd, `--ulimit nofile=` of a container",
        )
    else:
        yield ok(f"a process may open {'any number of' if limit == resource.RLIM_INFINITY else limit} files")


def clock(now: datetime, is_kept: bool | None) -> Iterator[Finding]:
    """Whether instants are true: what expires, backups, and tokens of other servers depend on it."""
    if now < _BEFORE:
        yield problem(
            f"this machine's clock says {now:%Y-%m-%d}", "set it, and let NTP keep it: `timedatectl set-ntp true`"
        )
    else:
        known = {True: ", and is kept right", False: "; the kernel knows of nothing that keeps it right", None: ""}[
            is_kept
        ]
        yield ok(f"the clock says {now:%Y-%m-%d %H:%M:%S} UTC{known}")


def kept() -> bool | None:
    """Whether the kernel's clock is synchronized; ``None`` where it does not tell. Asked only, nothing is set."""
    try:
        ask = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    state = int(ask(ctypes.create_string_buffer(512)))
    return None if state < 0 else state != _UNSYNCHRONIZED
