"""The one shape of answers: ``data``, of a list ``next``, and ``meta`` for what is told beside the data."""

from __future__ import annotations

from typing import Generic, TypeVar

from ..validation.responses import Data, Output, Page

__all__ = ["Data", "DataWith", "Page", "PageWith"]

T = TypeVar("T")
M = TypeVar("M")


class DataWith(Output, Generic[T, M]):
    """``{"data": …, "meta": …}``."""

    data: T
    meta: M


class PageWith(Output, Generic[T, M]):
    """``{"data": […], "next": cursor, "meta": …}``; without more to come ``next`` is ``null``."""

    data: list[T]
    next: str | None = None
    meta: M
