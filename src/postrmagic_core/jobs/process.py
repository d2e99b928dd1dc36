"""One worker process: ``python -m postrmagic_core.jobs.process APP PART OPTIONS [FD]``.

It runs until SIGTERM or its parent's end; at the descriptor FD it tells its supervisor when it works.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Literal, Protocol

from ..errors import ConfigurationError, PostrMagicError
from ..registry import imported
from .readiness import Telling, descriptor_of
from .supervisor import SPENT, stop_signals

logger = logging.getLogger("postrmagic_core.jobs")

Part = Literal["all", "worker", "relay"]


class Application(AbstractContextManager[Any], Protocol):
    """What ``module:name`` must lead to: a Stack, opened by ``with``."""

    def relay(self) -> AbstractContextManager[Any]:
        """The outbox's relay, which runs while it is open."""
        ...

    def scheduler(self) -> AbstractContextManager[Any]:
        """The scheduler of its schedules, which runs while it is open."""
        ...

    def worker(self, *, threads: int | None = None, **options: Any) -> AbstractContextManager[Any]:
        """The worker of its queues, which runs while it is open; :class:`ConfigurationError` if it runs one itself."""
        ...


def load(target: str) -> Application:
    """The Stack that ``module:name`` names; :class:`ConfigurationError` says what is wrong with it."""
    found = imported(target, "--app")
    if not hasattr(found, "relay") or not hasattr(found, "worker"):
        raise ConfigurationError(f"--app {target} is a {type(found).__name__}, expected a Stack")
    return found  # type: ignore[no-any-return]  # whatever has relay and worker will do


def run(target: str, threads: int | None, part: Part, *, ready: int | None = None, **options: Any) -> int:
    """Run the worker, the relay (and with it the scheduler) or all of ``target`` here until this process is to stop.

    ``ready`` is a descriptor at which it says that it works; ``options`` are the worker's. Returns the exit status: 0,
    or :data:`SPENT`, for another process to take its place.
    """
    stopped = threading.Event()
    parent = os.getppid()
    with stop_signals(stopped), ExitStack() as opened:
        application = load(target)
        worker = application.worker(threads=threads, **options) if part != "relay" else None
        opened.enter_context(application)
        if part != "worker":
            opened.enter_context(application.relay())
            opened.enter_context(application.scheduler())
        if worker is not None:
            opened.enter_context(worker)
        telling = opened.enter_context(Telling(ready))
        telling.works()
        while not stopped.wait(0.5) and os.getppid() == parent:
            if getattr(worker, "spent", False):
                logger.warning("this process has grown beyond its memory ceiling: it ends what runs, takes no more")
                return SPENT
    return 0


def main(target: str, part: str, options: str, *more: str) -> int:
    """:func:`run` for a command line; an error of ours is one sentence."""
    if part not in ("all", "worker", "relay"):
        sys.stderr.write(f"expected all, worker or relay, got {part}\n")
        return 2
    given = {"threads": None, **json.loads(options), "ready": descriptor_of(more)}
    try:
        return run(target, part=part, **given)  # type: ignore[arg-type]  # see above
    except PostrMagicError as error:
        sys.stderr.write(f"{error.code} {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
