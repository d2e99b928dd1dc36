"""Whether the server that runs this process has been told to stop."""

from __future__ import annotations

import signal
import threading

# uvicorn waits for every response to end before it tells an application that it stops: a stream would never know. Its
# signal handler is a method of its server, which says so; nothing is replaced, and under other servers it is no answer.
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def server_stops() -> bool:
    """Whether uvicorn's server in this process ends; false where there is none, or it cannot be known."""
    return any(
        getattr(getattr(signal.getsignal(number), "__self__", None), "should_exit", False) is True
        for number in _SIGNALS
    )


class Stop:
    """A flag that any thread may set: the dashboard is closed."""

    def __init__(self) -> None:
        self._flag = threading.Event()

    def set(self) -> None:
        """From now on every stream ends within a second."""
        self._flag.set()

    def clear(self) -> None:
        """Streams may begin again."""
        self._flag.clear()

    def __bool__(self) -> bool:
        return self._flag.is_set() or server_stops()
