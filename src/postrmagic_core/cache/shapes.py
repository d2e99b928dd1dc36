"""What of a query's result is kept, by which name and for how long: what both faces ask of cache and database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Optional, Required, TypeAlias, TypedDict

from ..errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Result

    from ..database.unit import Unit

Parameters: TypeAlias = Mapping[str, Any] | None
Tables: TypeAlias = Collection[str] | None


class Options(TypedDict, total=False):
    """How an answer is kept.

    ``fresh`` and ``stale`` are seconds, as in :meth:`CacheManager.get_or_set`. ``tables`` adds those that the query
    does not show: of textual SQL, views, functions. ``kind`` is the type of one element of the answer, any that
    pydantic understands; left out, values are as the database's types make them.
    """

    fresh: Required[float]
    stale: float
    tables: Tables
    kind: Any


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a result is kept: ``take`` makes it; ``of`` is its type, where the caller named that of one element."""

    name: str
    take: Callable[[Result[Any]], Any]
    of: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Question:
    """A query on its way to its answer: ``key`` of the entry, ``answer`` of a unit, ``keeping`` for ``get_or_set``."""

    key: str
    answer: Callable[[Unit], Any]
    keeping: dict[str, Any]


def _rows(result: Result[Any]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in result]


def _mappings(result: Result[Any]) -> list[dict[str, Any]]:
    names = [str(name) for name in result.keys()]  # noqa: SIM118 - no mapping
    if len(set(names)) < len(names):
        raise UsageError("two columns of the query have one name: give them labels, or ask for rows()")
    return [dict(zip(names, row, strict=True)) for row in result]


def _list_of(kind: Any) -> Any:
    return GenericAlias(list, (kind,))


ROWS = Shape("rows", _rows, _list_of)
MAPPINGS = Shape("mappings", _mappings, _list_of)
SCALARS = Shape("scalars", lambda result: list(result.scalars()), _list_of)
SCALAR = Shape("scalar", lambda result: result.scalar(), lambda kind: Optional[kind])  # noqa: UP045 - of a value
