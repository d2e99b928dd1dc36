"""A worker as a process of its own: ``python -m benchmarks._jobs_worker COUNTER SIDE URL [DATABASE]``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ._jobs_counter import Counter, count_into
from ._jobs_ours import Ours, Place
from ._jobs_peers import OTHERS, Dramatiq, Side

_PATIENCE = 120.0


def side(name: str, *urls: str) -> Side:
    """``ours``, ``dramatiq`` or one of the others by its name; :class:`ImportError` where it is not installed."""
    if name == "ours":
        return Ours(Place(*urls))
    return Dramatiq(*urls) if name == "dramatiq" else OTHERS[name](*urls)


class WorkerProcess:
    """A worker that runs while this process lives, and until it is killed with all its children."""

    def __init__(self, counter: Path, *given: str) -> None:
        self.given = given
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  # kill() closes it
        command = [sys.executable, "-m", f"{__package__}._jobs_worker", str(counter), *given]
        here = Path(__file__).parents[1]
        self.process = subprocess.Popen(
            command, cwd=here, stdin=subprocess.PIPE, stdout=self.errors, stderr=self.errors, start_new_session=True
        )

    def wait(self, counter: Counter, number: int) -> None:
        """Until ``number`` jobs are counted; :class:`RuntimeError` with what the worker said when it does not do it."""
        try:
            counter.wait(number, _PATIENCE, alive=lambda: self.process.poll() is None)
        except TimeoutError as error:
            self.errors.seek(0)
            said = self.errors.read()[-2000:].decode(errors="replace")
            raise RuntimeError(f"{' '.join(self.given)}: {error}\n{said}") from error

    def kill(self) -> None:
        """SIGKILL to it and its children."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.errors.close()
        if self.process.stdin is not None:
            self.process.stdin.close()


@contextmanager
def working(counter: Counter, *given: str) -> Iterator[WorkerProcess]:
    """A worker of ``side(*given)`` that counts into ``counter``, for the length of the block."""
    worker = WorkerProcess(counter.path, *given)
    try:
        yield worker
    finally:
        worker.kill()


def _end_with_parent() -> None:
    # Not through sys.stdin: a forked child would wait for its lock.
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    count_into(Path(sys.argv[1]))
    side(*sys.argv[2:]).work()
