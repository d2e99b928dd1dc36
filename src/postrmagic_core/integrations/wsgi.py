"""The pipeline and the Stack around any WSGI application."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable

from ..middleware import Pipeline
from ..middleware.wsgi import Environ, StartResponse, WSGIApp
from ..stack import Stack


def install(application: WSGIApp, pipeline: Pipeline, stack: Stack | None = None) -> WSGIApp:
    """``application`` inside ``pipeline``; each process opens ``stack`` with its first request, and closes it at exit.

    Not sooner: a server may load the application and fork afterwards. A Stack that does not open fails the request,
    and the next one tries again.
    """
    inside = pipeline.wsgi(application)
    if stack is None:
        return inside
    opened = AtFirstRequest(stack)

    def installed(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        opened()
        return inside(environ, start_response)

    return installed


class AtFirstRequest:
    """Call it with each request: the first one in a process opens the Stack, which closes when the process exits."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._process: int | None = None

    @property
    def needed(self) -> bool:
        """Whether a call would open anything."""
        return self._process != os.getpid()

    def __call__(self) -> None:
        if self._process == os.getpid():
            return
        self._stack.open()  # two first requests at once: the second one waits here and finds it open
        self._process = os.getpid()
        atexit.register(self._close, self._process)

    def _close(self, process: int) -> None:
        # A child inherits the registration of its parent; its own closes what it uses.
        if process == os.getpid():
            self._stack.close()
