"""Units as spans, where somebody records them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from .._spans import Span, span
from .unit import Unit

U = TypeVar("U", bound=Unit)


def unit_span(role: str) -> Span:
    """From its begin to the last hook after its end. Plain reads have none: each of their statements stands alone."""
    return span(f"unit {role}", "internal", {"postrmagic.unit": role})


@contextmanager
def traced(unit: AbstractContextManager[U], role: str) -> Iterator[U]:
    """The block of ``unit``, inside a span."""
    with unit_span(role), unit as begun:
        yield begun
