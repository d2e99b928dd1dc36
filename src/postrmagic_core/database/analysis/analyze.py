"""The analysis from the log to the report: read, explain, propose, try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, inspect, make_url

from ...errors import BackendUnavailable, PostrMagicError
from .advise import Asked
from .catalog import Table, column_names, read_catalog
from .explain import explain
from .interface import QueryStats
from .plans import Plan
from .report import Report
from .scratch import original, scratch_copy
from .statements import Unreadable, parse
from .study import Progress, Study
from .values import sample
from .verify import Bench

TOP = 20
ROWS = 500_000


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """``top`` statements by total time are looked at; ``rows``: the most to copy of a table on a server."""

    top: int = TOP
    verify: bool = True
    rows: int = ROWS


def analyze(
    url: str,
    queries: Sequence[QueryStats],
    options: AnalysisOptions = AnalysisOptions(),
    progress: Progress = lambda *_: None,
) -> Report:
    """Look at the statements of a query log against the database at ``url``, which is only read.

    Raises :class:`MissingExtra` without sqlglot, :class:`BackendError` when the database cannot be read or copied.
    """
    ordered = sorted(queries, key=lambda query: (-query.seconds, query.fingerprint))
    top = ordered[: options.top]
    file = make_url(url).database or ""
    if url.startswith("sqlite") and not Path(file).exists():
        raise BackendUnavailable(f"there is no database file {file}: name another with --url sqlite:///…")
    with original(url) as connection:
        progress("reading tables", 0, 1)
        dialect = _dialect(connection)
        tables = inspect(connection).get_table_names()
        columns = {name: _columns(connection, name) for name in tables}
        asked, notes = _understood(top, dialect, columns)
        catalog = read_catalog(connection, _named(asked))
        notes |= _vanished(asked, catalog, columns)
        asked = [one for one in asked if one.fingerprint not in notes]
        found = {} if options.verify else _explained(connection, dialect, asked, catalog)
    study = Study(dialect, {query.fingerprint: query for query in top}, asked, catalog, columns, notes)
    if options.verify:
        with scratch_copy(url, dialect, list(catalog), options.rows) as copy:
            bench = Bench(copy, catalog)
            report = study.tried(bench, progress)
            report = replace(report, sampled=dict(copy.sampled))
    else:
        report = study.guessed(found)
    return replace(report, omitted=len(ordered) - len(top))


def _dialect(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        return "sqlite"
    return "mariadb" if getattr(connection.dialect, "is_mariadb", False) else "mysql"


def _columns(connection: Connection, name: str) -> tuple[str, ...]:
    try:
        return column_names(connection, name)
    except PostrMagicError:
        return ()


def _understood(
    queries: Sequence[QueryStats], dialect: str, columns: Mapping[str, tuple[str, ...]]
) -> tuple[list[Asked], dict[str, str]]:
    asked, notes = [], {}
    for query in queries:
        try:
            statement = parse(query.sql, dialect, columns)
        except Unreadable as error:
            notes[query.fingerprint] = f"not analysed: {error}"
            continue
        if statement.kind == "insert":
            notes[query.fingerprint] = "adds rows"
        else:
            asked.append(Asked(query.fingerprint, statement, query.seconds))
    return asked, notes


def _named(asked: Sequence[Asked]) -> list[str]:
    return list(dict.fromkeys(source.table for one in asked for source in one.statement.sources))


def _vanished(
    asked: Sequence[Asked], catalog: Mapping[str, Table], columns: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    gone = {}
    for one in asked:
        missing = [source.table for source in one.statement.sources if source.table not in catalog]
        if missing:
            gone[one.fingerprint] = f"not analysed: there is no table {missing[0]}"
    return gone


def _explained(
    connection: Connection, dialect: str, asked: Sequence[Asked], catalog: Mapping[str, Table]
) -> dict[str, Plan | str]:
    """The plans on the original, or why there is none."""
    found: dict[str, Plan | str] = {}
    for one in asked:
        if one.statement.refusal:
            found[one.fingerprint] = f"not explained: {one.statement.refusal}"
            continue
        try:
            values = sample(connection, one.statement, catalog)
            found[one.fingerprint] = explain(connection, dialect, one.statement, values.frequent)
        except PostrMagicError as error:
            found[one.fingerprint] = f"not explained: {error}"
    return found
