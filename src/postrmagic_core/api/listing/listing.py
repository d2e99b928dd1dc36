"""A list that is declared once, and what one request asks of it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, RowMapping, Select

from ..._codec import encode
from ..._crypto import KeyRing
from ...errors import ConfigurationError, UsageError, ValidationFailed
from .cursors import cursor_of, invalid_cursor, position_of
from .declared import Declared
from .interface import Expression, Filter, ListQuery, NotNull, RowPage
from .keyset import Keyset
from .policy import SortKey, checked_names, checked_sizes, identity, sort_keys
from .query import query_model


class Listing:
    """A list over ``statement``: what it may be sorted and filtered by, and how many rows a page has.

    ``name`` is bound into the cursors. ``order`` maps the names that a client may sort by to columns that are NOT NULL,
    or to expressions in :func:`.not_null`; ``default`` is the order of who asks for none (``"-created_at"``:
    descending). ``unique`` ends every order, in the direction of its first key: a primary key, or the columns of a
    unique constraint. ``filters`` are those of :mod:`.filters`. A page has ``size`` rows unless ``limit`` is given, at
    most ``max_size``.

    The statement has no order and no limit, and gives each row of ``unique`` once. It is given here, and each request's
    conditions to :meth:`ListRequest.select`: what would lose rows is then found at start-up, and the rest is prepared
    once. Raises :class:`ConfigurationError` for a key that may be NULL, that a database rounds, or that may not fit
    into a cursor (1 KB).

    Threads share it. ``Query`` is the model of its parameters.
    """

    filters: dict[str, Filter]
    Query: type[ListQuery]
    """The model of the parameters of this list."""

    def __init__(
        self,
        name: str,
        statement: Select[*tuple[Any, ...]],
        *,
        order: Mapping[str, Expression | NotNull],
        default: str,
        unique: Expression | Sequence[Expression],
        filters: Mapping[str, Filter] | None = None,
        size: int = 24,
        max_size: int = 100,
    ) -> None:
        self._name = name
        self.filters = dict(filters or {})
        checked_names(name, order, self.filters)
        checked_sizes(name, size, max_size)
        self._declared = Declared(name, statement, order, unique)
        self._order = tuple(order)
        _check_default(name, default, self._order)
        self.Query = query_model(name, self._order, default, self.filters, (size, max_size))
        self._statement = statement
        self._prepared = lru_cache(maxsize=64)(self._prepare)

    def ask(self, query: ListQuery, *, keys: KeyRing, subject: str, beside: Sequence[str | int] = ()) -> ListRequest:
        """Decide all about a page, from a ``query`` that is an instance of :attr:`Query` or of a subclass of it.

        ``subject`` names who asks (``"user:7"``; empty where everybody is shown the same), ``beside`` what else
        decides which rows there are, such as an id of the path. A cursor is valid for the same list, subject, sort,
        filters, further fields of the query, and ``beside``; ``limit`` may change. Raises :class:`ValidationFailed`
        with the pointer ``/sort`` or ``/after``.
        """
        if not isinstance(query, self.Query):
            raise UsageError(f"expected an instance of {self.Query.__name__}, got {type(query).__name__}")
        order = sort_keys(query.sort, self._order)
        named = identity(self._name, subject, order, _json(query), beside)
        keyset, statement = self._prepared(order)
        position = None if query.after is None else position_of(query.after, named, keys)
        if position is not None and len(position) != len(keyset.keys):
            raise invalid_cursor()  # made before the list was declared with another key
        values = {name: value for name in self.filters if (value := getattr(query, name)) is not None}
        return ListRequest(query.limit, values, statement, keyset, self.filters, position, named, keys)

    def _prepare(self, order: tuple[SortKey, ...]) -> tuple[Keyset, Select[Any]]:
        found = [(self._declared.order[key.name], key.descending) for key in order]
        present = [expression for expression, _ in found]
        ends = [one for one in self._declared.unique if not any(one is other for other in present)]
        keyset = Keyset([*found, *((one, order[0].descending) for one in ends)])
        return keyset, keyset.ordered(self._statement)


@dataclass(frozen=True, slots=True)
class ListRequest:
    """One page as it was asked for: the statement that reads it, and what its rows come to."""

    limit: int
    values: Mapping[str, Any] = field(repr=False)
    """What was given of the filters, by name."""
    _statement: Select[Any] = field(repr=False)
    _keyset: Keyset = field(repr=False)
    _filters: Mapping[str, Filter] = field(repr=False)
    _position: Sequence[Any] | None = field(repr=False)
    _identity: bytes = field(repr=False)
    _keys: KeyRing = field(repr=False)

    @property
    def key(self) -> str:
        """32 characters (A-Z, a-z, 0-9, ``-``, ``_``) that name all that was asked, for keys of a cache."""
        whole = self._identity + encode([self.limit, self._position])
        return base64.urlsafe_b64encode(hashlib.sha256(whole).digest()[:24]).decode()

    def select(self, *conditions: ColumnElement[bool]) -> Select[Any]:
        """The statement of the page, restricted by ``conditions`` such as whose rows they are.

        It reads one row more than the page has, and the sort keys as columns of their own, ``pm_sort_0`` and so on.
        """
        asked = [self._filters[name].condition for name in self.values]
        found = [one(value) for one, value in zip(asked, self.values.values(), strict=True) if one is not None]
        if self._position is not None:
            found.append(self._keyset.behind(self._position))
        return self._statement.where(*conditions, *found).limit(self.limit + 1)

    def page(self, rows: Sequence[Row[Any]] | Sequence[RowMapping]) -> RowPage:
        """The page of what :meth:`select` gave: ``tx.execute(asked.select(…)).all()``.

        Raises :class:`UsageError` for rows of another statement, for a NULL in a sort key, and for a row that is there
        twice; :class:`EncodeError` for texts longer than their column declares, as SQLite may hold.
        """
        if not rows:
            return RowPage([], None)
        first = rows[0]
        names = tuple(first.keys() if isinstance(first, RowMapping) else first._fields)
        labels = self._keyset.labels
        if len(rows) > self.limit + 1 or names[-len(labels) :] != labels:
            raise UsageError("expected the rows of asked.select(…), all of them and unchanged")
        plain = [tuple(row.values()) if isinstance(row, RowMapping) else tuple(row) for row in rows]
        positions = self._keyset.positions(plain)
        more = len(rows) > self.limit
        shown = [dict(zip(names[: -len(labels)], row, strict=False)) for row in plain[: self.limit]]
        return RowPage(shown, cursor_of(positions[self.limit - 1], self._identity, self._keys) if more else None)


def _json(query: ListQuery) -> dict[str, object]:
    """What a query asks for beside its page and order, in one writing: sets have no order of their own."""
    plain: dict[str, object] = query.model_dump(mode="json", exclude={"limit", "after", "sort"})
    for name, value in query:
        if isinstance(value, set | frozenset):
            plain[name] = sorted(map(repr, value))
    return plain


def _check_default(listing: str, default: str, names: Sequence[str]) -> None:
    try:
        sort_keys(default, names)
    except ValidationFailed:
        raise ConfigurationError(f"list {listing!r}: expected a default of its own names, got {default!r}") from None
