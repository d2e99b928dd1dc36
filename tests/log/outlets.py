"""Files of logs as tests read and fill them."""

from __future__ import annotations

import gzip
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postrmagic_core.log.rotation import Aside


def files_of(path: Path) -> list[Path]:
    """What was put aside of the log at ``path``, oldest first, and the log; of what is there twice the compressed."""
    asides = {}
    for file in path.parent.iterdir():
        aside = Aside.parse(path.name, file.name)
        if aside is not None and (aside.packed or (aside.at, aside.number) not in asides):
            asides[aside.at, aside.number] = file
    return [*(asides[key] for key in sorted(asides)), path]


def lines_of(path: Path) -> list[bytes]:
    """Every line of all these files; blank ones are what was overwritten."""
    while True:
        try:
            data = b"".join(_content(file) for file in files_of(path) if file != path or file.exists())
        except FileNotFoundError:  # compressed meanwhile
            continue
        assert data.endswith(b"\n") or not data, "the last line has no end"
        return [line for line in data.split(b"\n") if line.strip()]


def _content(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


@contextmanager
def filled(path: Path, room: int = 0) -> Iterator[None]:
    """No file of this process may become larger than the one at ``path`` is now, and ``room`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = path.stat().st_size if path.exists() else 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def in_halves(descriptor: int, data: bytes) -> int:
    """What :func:`os.write` would be if it let others in between: the double of a guard."""
    half = len(data) // 2
    written = os.writev(descriptor, [data[:half]])
    time.sleep(0.001)
    return written + os.writev(descriptor, [data[half:]])
