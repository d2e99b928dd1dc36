"""What the room's functions take and give: the query of a list, a page, a filter, what a list is sorted by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement

from ...validation import Input

Expression: TypeAlias = ColumnElement[Any]


class ListQuery(Input):
    """The parameters of every list; :attr:`.Listing.Query` has their bounds, its own defaults, and the filters."""

    limit: int = 1
    after: str | None = None
    sort: str = ""


@dataclass(frozen=True, slots=True)
class RowPage:
    """One page: each row as a dictionary by column name, and the cursor of the page that follows, if there is one."""

    rows: list[dict[str, Any]]
    next: str | None


@dataclass(frozen=True, slots=True)
class Filter:
    """A query parameter: the type of its value, and the condition that a value stands for.

    Without a condition it is told to the application, in :attr:`.ListRequest.values`.
    """

    kind: Any
    condition: Callable[[Any], ColumnElement[bool]] | None
    description: str


@dataclass(frozen=True, slots=True)
class NotNull:
    """An expression that is never NULL, by the word of who declares it."""

    expression: Expression


def not_null(expression: Expression) -> NotNull:
    """Declare that an expression is never NULL, so that a list can be sorted by it; of a column this is known.

    The expression needs a type: ``not_null(func.substr(media.c.filename, 1, 60, type_=String(60)))``.
    """
    return NotNull(expression)
