"""Several processes of one function, which begin together and end together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from postrmagic_core.testing import Child, spawn


@contextmanager
def crowd(
    target: Callable[..., object], *calls: Sequence[object], env: Mapping[str, str] | None = None
) -> Iterator[list[Child]]:
    """A process for each of ``calls``, which are what ``target`` is called with; killed at the end of the block."""
    with ExitStack() as opened:
        yield [opened.enter_context(spawn(target, *call, env=env)) for call in calls]
