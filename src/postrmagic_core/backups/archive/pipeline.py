"""Work on pieces of data in a few threads, its results in order, no more of it at a time than a bound allows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

THREADS = 2
"""zlib and AES leave the interpreter's lock alone while they work on a piece."""
AHEAD = 4
"""Pieces that are worked on or wait to be taken, at most."""


class Line(Generic[R]):
    """Calls that are made in threads and whose results come in the order of the calls.

    The threads end when the line is closed, or when nobody has it any longer.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="postrmagic-backup")
        self._waiting: deque[Future[R]] = deque()

    def put(self, call: Callable[[], R]) -> Iterator[R]:
        """Have ``call`` made; gives what is ready, and waits where there is too much underway."""
        self._waiting.append(self._pool.submit(call))
        while self._waiting and (len(self._waiting) >= AHEAD or self._waiting[0].done()):
            yield self._waiting.popleft().result()

    def rest(self) -> Iterator[R]:
        """Wait for all that is underway, and give it."""
        while self._waiting:
            yield self._waiting.popleft().result()

    def close(self) -> None:
        """Forget what is underway, and end the threads once their piece is done."""
        self._waiting.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)


def in_order(work: Callable[[T], R], pieces: Iterable[T]) -> Generator[R, None, None]:
    """``map(work, pieces)`` in threads, a few pieces ahead; closing the iterator ends them."""
    line: Line[R] = Line()
    try:
        for piece in pieces:
            yield from line.put(partial(work, piece))
        yield from line.rest()
    finally:
        line.close()
