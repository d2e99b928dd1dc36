"""Query results in the cache, invalidated by the tables that committed units wrote."""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from .._codec import encode
from .._crypto import fingerprint
from ..errors import EncodeError
from .interface import Committing
from .selects import OWN, Selects, table_name
from .shapes import MAPPINGS, ROWS, SCALAR, SCALARS, Options, Parameters, Question, Shape, Tables

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from sqlalchemy import Result
    from sqlalchemy.sql import Executable

    from ..database import DatabaseManager
    from .manager import CacheManager
    from .queries_aio import AsyncQueryCache

_log = logging.getLogger("postrmagic_core.cache")

# Its tag is on every result: given up when a unit wrote nobody knows where.
_ANY = "*"


class Wrote(Committing, Protocol):
    """A unit about to commit, as far as results need it."""

    @property
    def tables_written(self) -> frozenset[str]:
        """The tables it changed."""
        ...

    @property
    def tables_unknown(self) -> bool:
        """Whether it may have changed others."""
        ...


class QueryCache:
    """Answers of SELECTs on ``database``, kept in ``cache`` until a unit commits that wrote one of their tables.

    Making one is what makes the write units of ``database`` invalidate: every process that writes needs it, whether it
    reads from it or not. ``name`` stands for the database in keys and tags: where processes reach one database by
    different URLs, give them all the same.

    The methods take :class:`Options`. Inside a write unit of ``database`` the query runs in it; nothing is read or
    stored. They raise :class:`UsageError` for what is no SELECT, or holds textual SQL without ``tables``, and
    :class:`EncodeError` for a value, bound or selected, that has no lossless encoding (``kind`` helps).
    """

    def __init__(self, cache: CacheManager, database: DatabaseManager, *, name: str | None = None) -> None:
        self.cache = cache
        self.database = database
        self._scope = fingerprint((name or database.database_id).encode())[:16]
        self._blind = database.metrics.counter("cache_blind_writes_total", namespace=cache.namespace)
        self._warned = False
        self._adapters: dict[Any, TypeAdapter[Any]] = {}
        database.on_write(self._wrote)

    @cached_property
    def aio(self) -> AsyncQueryCache:
        """The same results for asyncio, with the same names."""
        from .queries_aio import AsyncQueryCache

        return AsyncQueryCache(self)

    def rows(self, statement: Executable, parameters: Parameters = None, **options: Unpack[Options]) -> list[Any]:
        """Every row, as a tuple."""
        return self._answer(self.question(ROWS, statement, parameters, **options))  # type: ignore[no-any-return]  # a shape's value

    def mappings(self, statement: Executable, parameters: Parameters = None, **options: Unpack[Options]) -> list[Any]:
        """Every row, as a dict by column name; with ``kind``, a model or dataclass made from it."""
        return self._answer(self.question(MAPPINGS, statement, parameters, **options))  # type: ignore[no-any-return]  # as above

    def scalars(self, statement: Executable, parameters: Parameters = None, **options: Unpack[Options]) -> list[Any]:
        """The first column of every row."""
        return self._answer(self.question(SCALARS, statement, parameters, **options))  # type: ignore[no-any-return]  # as above

    def scalar(self, statement: Executable, parameters: Parameters = None, **options: Unpack[Options]) -> Any:
        """The first column of the first row; ``None`` if there is none."""
        return self._answer(self.question(SCALAR, statement, parameters, **options))

    def invalidate(self, *tables: str, tx: Committing | None = None, detached: bool = False) -> None:
        """Forget the answers that read one of ``tables``; without any, all of this database.

        For what no unit of ours wrote: another program, a migration. ``tx`` and ``detached`` are as in
        :meth:`CacheManager.invalidate`.
        """
        self.cache.invalidate(*self.tags(tables), tx=tx, detached=detached)

    def tags(self, tables: Collection[str]) -> list[str]:
        """The tags to give up when ``tables`` have changed; without any, the tag that every answer has."""
        return [self._tag(name) for name in sorted({table_name(table) for table in tables})] or [self._tag(_ANY)]

    def question(
        self,
        shape: Shape,
        statement: Executable,
        parameters: Parameters,
        *,
        fresh: float,
        stale: float = 0,
        tables: Tables = None,
        kind: Any = None,
    ) -> Question:
        """What both faces ask of cache and database."""
        asked = self._selects.look(statement, parameters, tables)
        whole = None if kind is None else shape.of(kind)
        schema = self.cache.access.codecs.of(whole).schema
        key = fingerprint(encode([self._scope, shape.name, schema, asked.identity]))
        tags = tuple(map(self._tag, (_ANY, *asked.tables)))
        return Question(
            f"query:{key}",
            lambda tx: self.made(shape, whole, tx.execute(statement, parameters)),
            {"fresh": fresh, "stale": stale, "tags": tags, "kind": whole},
        )

    def _answer(self, question: Question) -> Any:
        def compute() -> Any:
            with self.database.read() as tx:
                return question.answer(tx)

        if self.database.current() is not None:
            return compute()
        return self.cache.get_or_set(question.key, compute, **question.keeping)

    def made(self, shape: Shape, kind: Any, result: Result[Any]) -> Any:
        """What is kept of ``result``, as ``kind``."""
        value = shape.take(result)
        if kind is None:
            return value
        from pydantic import ValidationError

        try:
            return self._adapter(kind).validate_python(value)
        except ValidationError as error:
            fields = sorted({".".join(str(part) for part in each["loc"][1:]) for each in error.errors()})
            # Its own text would quote the values.
            raise EncodeError(
                f"the query's answer is no {kind}: see {', '.join(filter(None, fields)) or 'its type'}"
            ) from None

    def _adapter(self, kind: Any) -> TypeAdapter[Any]:
        adapter = self._adapters.get(kind)
        if adapter is None:
            from pydantic import TypeAdapter

            adapter = self._adapters[kind] = TypeAdapter(kind)
        return adapter

    @cached_property
    def _selects(self) -> Selects:
        return Selects(self.database.backend.engine("read"))

    def _tag(self, name: str) -> str:
        return f"table:{self._scope}:{name}"

    def _wrote(self, tx: Wrote) -> None:
        """Bind the invalidation to a unit that is about to commit."""
        if tx.tables_unknown:
            self._blind.add()
            if not self._warned:
                self._warned = True
                _log.warning(
                    "a unit ran textual SQL or DDL and did not tell which tables it changed: every cached query result "
                    "of the database ends with it; call tx.wrote(…) after such a statement (told once)"
                )
            self.invalidate(tx=tx)
            return
        tables = [name for name in tx.tables_written if not name.startswith(OWN)]
        if tables:
            self.invalidate(*tables, tx=tx)
