"""The table keeps what a log sink promises."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.testing.contracts.log_sink import LogSinkContract
from postrmagic_core.testing.contracts.log_sink_rig import Outlet
from postrmagic_template.intable import TableSink


def ask(path: Path, statement: str) -> list[Any]:
    """The rows."""
    connection = sqlite3.connect(path)
    with connection:
        rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


class TestTableSink(LogSinkContract):
    """A file of SQLite."""

    @pytest.fixture
    def outlet(self, tmp_path: Path) -> Outlet:
        """A place that nobody else writes to, for each test."""
        path = tmp_path / "log.db"

        def read() -> list[bytes]:
            return [line.encode() for (line,) in ask(path, "SELECT line FROM log ORDER BY id")]

        @contextmanager
        def refuse() -> Iterator[None]:
            ask(path, "ALTER TABLE log RENAME TO away")
            yield
            ask(path, "ALTER TABLE away RENAME TO log")

        return Outlet(lambda: TableSink.from_url(f"table://{path}"), read, refuse)
