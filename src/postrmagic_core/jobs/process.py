"""One worker process: ``python -m postrmagic_core.jobs.process APP THREADS PART`` until SIGTERM or its parent's end."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import AbstractContextManager, ExitStack
from importlib import import_module
from typing import Any, Literal, Protocol

from ..errors import ConfigurationError
from .supervisor import stop_signals

Part = Literal["all", "worker", "relay"]


class Application(AbstractContextManager[Any], Protocol):
    """What ``module:name`` must lead to: a Stack, opened by ``with``."""

    def relay(self) -> AbstractContextManager[Any]:
        """The outbox's relay, which runs while it is open."""
        ...

    def worker(self, *, threads: int | None = None) -> AbstractContextManager[Any]:
        """The worker of its queues, which runs while it is open; :class:`ConfigurationError` if it runs one itself."""
        ...


def load(target: str) -> Application:
    """The object that ``module:name`` names; :class:`ConfigurationError` says what is wrong with it."""
    module, _, name = target.partition(":")
    if not module or not name:
        raise ConfigurationError(f"expected --app module:name, for example app:stack, got {target!r}")
    try:
        found = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"--app {target}: there is no module {error.name}; is it in this directory?"
        ) from error
    except AttributeError:
        raise ConfigurationError(f"--app {target}: the module has no {name}") from None
    if not hasattr(found, "relay") or not hasattr(found, "worker"):
        raise ConfigurationError(f"--app {target} is a {type(found).__name__}, expected a Stack")
    return found  # type: ignore[no-any-return]  # whatever has relay and worker will do


def run(target: str, threads: int, part: Part) -> None:
    """Run the worker, the relay or both of ``target`` in this process until it is told to stop."""
    stopped = threading.Event()
    parent = os.getppid()
    with stop_signals(stopped), ExitStack() as opened:
        application = load(target)
        parts = [application.relay()] if part != "worker" else []
        parts += [application.worker(threads=threads)] if part != "relay" else []
        opened.enter_context(application)
        for each in parts:
            opened.enter_context(each)
        while not stopped.wait(0.5) and os.getppid() == parent:
            pass


if __name__ == "__main__":
    _, app, count, which = sys.argv
    if which not in ("all", "worker", "relay"):
        sys.exit(f"expected all, worker or relay, got {which}")
    run(app, int(count), which)  # type: ignore[arg-type]  # compared just above
