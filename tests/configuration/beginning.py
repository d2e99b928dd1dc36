"""What processes of their own do; each prints one line for the test that has begun it."""

from __future__ import annotations

import fcntl
import os
import resource
import time
from pathlib import Path

from postrmagic_core.configuration import record
from postrmagic_core.configuration.replacing import replace_file
from postrmagic_core.settings import Settings


def begin_with(directory: str, threads: str) -> None:
    """A process of its own."""
    os.chdir(directory)
    os.environ["POSTRMAGIC_JOBS__THREADS"] = threads
    settings = Settings()
    print(record(settings, by="web"))  # noqa: T201 - the parent reads it


def hold_lock(directory: str) -> None:
    """Hold the lock, with a file half written."""
    descriptor = os.open(f"{directory}/.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    Path(directory, ".dead.part").write_text('{"format": 1, "num')
    print("held")  # noqa: T201 - the parent reads it
    time.sleep(60)


def begin_on_a_full_disk(directory: str) -> None:
    """A process that may write nothing but 100 bytes a file."""
    os.chdir(directory)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    print(record(Settings(), by="web"))  # noqa: T201 - the parent reads it


def replace_again_and_again(path: str) -> None:
    """Replace the file by one text and by another, until killed."""
    texts = ["a = 1\n" * 5000, "b = 2\n" * 5000]
    now = Path(path).read_text()
    print("begun")  # noqa: T201 - the parent reads it
    while True:
        after = texts[now == texts[0]]
        replace_file(Path(path), now, after)
        now = after


def begin_again_and_again(directory: str, start: int) -> None:
    """Begin with other settings each time, until killed."""
    os.chdir(directory)
    settings = Settings()
    record(settings)
    print("begun")  # noqa: T201 - the parent reads it
    while True:
        start += 1
        record(settings.replace(events={"backlog": start + 1}))
