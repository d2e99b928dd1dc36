"""What a SELECT is to a cache: what the server would be sent, how its answer is read, and which tables it reads."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ClauseElement, Engine, Executable
from sqlalchemy.sql.compiler import SQLCompiler

from .._codec import encode
from ..errors import UsageError

# The package's own tables: nothing that is read from them is cached, and their writes invalidate nothing.
OWN = "pm_"

# Compiled statements kept: those that an application writes down are fewer.
_MOST = 1024
_SELECTS = re.compile(r"[\s(]*(?:SELECT|WITH|VALUES)\b", re.IGNORECASE)
# Text that surely holds no subquery: it would need a parenthesis, and a space.
_HARMLESS = re.compile(r"[^\s(]*")


@dataclass(frozen=True, slots=True)
class Asked:
    """``identity`` is the same for two SELECTs only if their answers are; ``tables`` are what it reads."""

    identity: bytes
    tables: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Compiled:
    sql: Any
    columns: list[Any]
    tables: frozenset[str]
    textual: bool


class Selects:
    """Looks at SELECTs as a dialect of the class of ``engine``'s would send them; compiled ones are kept.

    The dialect is one that never connects. So no server is asked, each process finds the same, and the engine's own,
    which learns from its first connection, does not decide too early how values are read.
    """

    def __init__(self, engine: Engine) -> None:
        dialect: Any = type(engine.dialect)()
        self._dialect = dialect
        self._compiler = _noting(dialect.statement_compiler)
        self._known: dict[Any, _Compiled] = {}

    def look(self, statement: Any, parameters: Any, tables: Collection[str] | None) -> Asked:
        """What ``statement`` asks with ``parameters``; ``tables`` are added to those that it shows.

        Raises :class:`UsageError` for what is no SELECT, and for textual SQL without ``tables``;
        :class:`EncodeError` for a value that has no lossless encoding.
        """
        _check(statement, parameters)
        name = statement._generate_cache_key()  # as SQLAlchemy itself keeps compiled statements
        compiled = None if name is None else self._known.get(name.key)
        if compiled is None:
            compiled = self._compile(statement, name)
        if compiled.textual and tables is None:
            raise UsageError(
                "the query holds textual SQL, which is not parsed: name the tables it reads, tables=[…] (those of its "
                "Core and ORM parts are found; [] if there are no others)"
            )
        identity = encode([self._dialect.name, *_sent(compiled.sql, parameters, name), compiled.columns])
        return Asked(identity, compiled.tables | _named(tables or ()))

    def _compile(self, statement: Any, name: Any) -> _Compiled:
        sql: Any = self._compiler(self._dialect, statement, cache_key=name)
        if sql.locking:
            raise UsageError("SELECT … FOR UPDATE locks rows, which a cached answer does not: run it in db.write()")
        if sql.textual and not _SELECTS.match(sql.string):
            raise UsageError("only the answer of a SELECT can be cached")
        columns = [[str(each.keyname), str(each.name), *_described(each.type)] for each in sql._result_columns]
        compiled = _Compiled(sql, columns, _named(sql.tables), sql.textual)
        if name is not None:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[name.key] = compiled
        return compiled


def table_name(name: str) -> str:
    """``name`` as tags spell it: without its schema, in one case, as servers and statements differ in both."""
    return name.rpartition(".")[2].strip('`"[]').casefold()


def _named(tables: Collection[str]) -> frozenset[str]:
    if isinstance(tables, str):
        raise TypeError(f"tables is a collection of names: write tables=[{tables!r}]")
    names = frozenset(table_name(table) for table in tables)
    if any(name.startswith(OWN) for name in names):
        raise UsageError(f"tables named {OWN}… are the package's own: nothing that is read from them is cached")
    return names


def _check(statement: Any, parameters: Any) -> None:
    if not (isinstance(statement, ClauseElement) and isinstance(statement, Executable)):
        raise UsageError(f"expected a SQLAlchemy SELECT, or text(…), got {type(statement).__name__}")
    if not getattr(statement, "is_select", False) and not getattr(statement, "_is_text_clause", False):
        raise UsageError("only the answer of a SELECT can be cached")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise UsageError("expected the parameters of one execution, as a mapping")
    if statement.get_execution_options().get("schema_translate_map"):
        raise UsageError("a query under schema_translate_map is not cached: its text does not tell the schema")


def _noting(compiler: type[SQLCompiler]) -> type[SQLCompiler]:
    """A compiler that notes what it renders: only then are the tables known that the ORM adds.

    Relationships, their secondary tables and inherited ones become joins while a statement is compiled.
    """

    class Noting(compiler):  # type: ignore[valid-type, misc]  # the dialect's own, known when it runs
        def __init__(self, *args: Any, **options: Any) -> None:
            self.tables: set[str] = set()
            self.textual = self.locking = False
            super().__init__(*args, **options)

        def visit_table(self, table: Any, *args: Any, **options: Any) -> Any:
            self.tables.add(table.name)
            return super().visit_table(table, *args, **options)

        def visit_textclause(self, *args: Any, **options: Any) -> Any:
            self.textual = True
            return super().visit_textclause(*args, **options)

        def visit_tstring(self, *args: Any, **options: Any) -> Any:
            self.textual = True
            return super().visit_tstring(*args, **options)

        def visit_column(self, column: Any, *args: Any, **options: Any) -> Any:
            self.textual = self.textual or (column.is_literal and not _HARMLESS.fullmatch(column.name))
            return super().visit_column(column, *args, **options)

        def for_update_clause(self, *args: Any, **options: Any) -> Any:
            self.locking = True
            return super().for_update_clause(*args, **options)

    return Noting


def _sent(compiled: Any, parameters: Mapping[str, Any] | None, name: Any) -> tuple[str, list[Any]]:
    """Text and values as the driver gets them: lists expanded, each value as its type makes it."""
    given = compiled.construct_params(
        parameters,
        extracted_parameters=None if name is None else name.bindparams,
        escape_names=False,
        _collected_params=None if name is None else name.params,
        _no_postcompile=True,
    )
    expanded = compiled.construct_expanded_state(given, escape_names=False)
    makers = {**compiled._bind_processors, **expanded.processors}
    order = expanded.parameters if expanded.positiontup is None else expanded.positiontup
    values = [[each, _made(makers.get(each), expanded.parameters[each])] for each in order]
    return expanded.statement, values


def _made(maker: Any, value: Any) -> Any:
    made = value if maker is None else maker(value)
    # Drivers send what an enumeration of texts or numbers holds, not its name.
    if isinstance(made, str):
        return str.__str__(made)
    return int(made) if isinstance(made, int) and not isinstance(made, bool) else made


def _described(kind: Any) -> Iterator[Any]:
    """What tells how a column's values are read: two SELECTs may send the same, and read the answer differently."""
    parts = kind._static_cache_key
    if not isinstance(parts, tuple):
        raise UsageError(
            f"the type {type(kind).__name__} of a column does not say whether it can be cached: set its cache_ok = True"
        )
    yield repr([_plain(part) for part in parts])
    # An Enum's values and class are not among the parts; a lambda's address differs from process to process.
    yield re.sub(r" at 0x[0-9a-f]+", "", repr(kind))
    yield _plain(getattr(kind, "enum_class", None))


def _plain(part: Any) -> Any:
    if isinstance(part, tuple | list):
        return [_plain(each) for each in part]
    if isinstance(part, type):
        return f"{part.__module__}.{part.__qualname__}"
    return part
