"""The rules, and how they are found in an annotation's metadata; no SQLAlchemy at import."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema

if TYPE_CHECKING:
    from sqlalchemy import Column
    from sqlalchemy.orm import QueryableAttribute

    AnyColumn: TypeAlias = Column[Any] | QueryableAttribute[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Unique:
    """No row has this value in ``column``, a Core column or an ORM attribute, nor has an earlier item of this input.

    ``scope`` maps fields beside this one to columns that must be equal as well: ``{"tenant_id": users.c.tenant_id}``.
    ``own`` names the field that holds the row's own key, and its column, so that an update does not collide with
    itself: ``("id", users.c.id)``. Refused as ``unique.taken``, or ``unique.unfit`` where the column cannot hold it.
    """

    column: AnyColumn
    scope: Mapping[str, AnyColumn] = field(default_factory=dict)
    own: tuple[str, AnyColumn] | None = None
    code: ClassVar[str] = "unique.taken"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Nothing that pydantic would run: the validator asks when pydantic is done."""
        return handler(source)


@dataclass(frozen=True, slots=True, eq=False)
class Exists:
    """Some row has this value in ``column``, a Core column or an ORM attribute; refused as ``exists.missing``.

    ``scope`` maps fields beside this one to columns of the row that must be equal as well; where such a field is empty,
    no row is found.
    """

    column: AnyColumn
    scope: Mapping[str, AnyColumn] = field(default_factory=dict)
    own: ClassVar[None] = None
    code: ClassVar[str] = "exists.missing"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Nothing that pydantic would run: the validator asks when pydantic is done."""
        return handler(source)


DatabaseRule: TypeAlias = Unique | Exists
Conditional: TypeAlias = tuple[DatabaseRule, tuple[Any, ...]]
"""A rule, and what it stands in that says whether it applies, outermost first."""


def database_rules(metadata: Iterable[object]) -> Iterator[Conditional]:
    """The database rules among the metadata of a field, looked for also in rules that hold another one."""
    for found in metadata:
        rule: Any = found
        holders: tuple[Any, ...] = ()
        while not isinstance(rule, (Unique, Exists)):
            holders = (*holders, rule)
            rule = getattr(rule, "rule", None) or getattr(rule, "then", None)
            if rule is None:
                break
        else:
            yield rule, holders
