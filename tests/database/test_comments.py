"""Who a statement is for, in a comment that no value breaks out of, where a server shows it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select, text

from postrmagic_core._spans import spans
from postrmagic_core._sql.comments import commented
from postrmagic_core._sql.mysql_server import MysqlServer
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.analysis.fingerprint import normalized
from postrmagic_core.database.analysis.options import QueryLogOptions
from postrmagic_core.log import bind
from postrmagic_core.testing import until

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
metadata = MetaData()
notes = Table("notes", metadata, Column("id", Integer, primary_key=True), Column("said", String(64)))


class TestText:
    """sqlcommenter's format: keys in order, values in quotes, at the end."""

    def test_request_job_and_trace(self) -> None:
        """Whatever of them is known here, and nothing where nothing is."""
        assert commented("SELECT 1") == "SELECT 1"
        with bind(request_id="r-1", user_id="7"):
            assert commented("SELECT 1") == "SELECT 1 /*request_id='r-1'*/"
            with bind(job_id="j.2", trace_id=TRACE, span_id=SPAN, trace_flags="01"):
                told = f"job_id='j.2',request_id='r-1',traceparent='00-{TRACE}-{SPAN}-01'"
                assert commented("SELECT 1") == f"SELECT 1 /*{told}*/"
        with bind(trace_id=TRACE, span_id=SPAN):
            assert commented("SELECT 1") == f"SELECT 1 /*traceparent='00-{TRACE}-{SPAN}-00'*/"

    def test_flags_are_the_recorder_s(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where somebody records, the trace is what is current there."""

        class Recorder:
            def carried(self) -> dict[str, str]:
                return {"trace_id": TRACE, "span_id": SPAN, "trace_flags": "03"}

        monkeypatch.setattr(spans, "installed", Recorder())
        assert commented("SELECT 1") == f"SELECT 1 /*traceparent='00-{TRACE}-{SPAN}-03'*/"

    @pytest.mark.parametrize("end", [";", " ; ", "\n", ";\r\n;"])
    def test_a_semicolon_ends_nothing(self, end: str) -> None:
        """Behind it the comment would be a second statement."""
        with bind(request_id="r"):
            assert commented(f"SELECT 1{end}") == "SELECT 1 /*request_id='r'*/"

    @pytest.mark.parametrize("verb", ["INSERT", "\n replace"])
    def test_rows_that_are_sent_together_stay_together(self, verb: str) -> None:
        """The driver knows them by the statement's end."""
        with bind(request_id="r"):
            assert commented(f"{verb} INTO t VALUES (%s)", True) == f"{verb} /*request_id='r'*/ INTO t VALUES (%s)"
            assert commented("UPDATE t SET a = %s", True) == "UPDATE t SET a = %s /*request_id='r'*/"

    @given(st.text() | st.from_regex(r"[\w.*/'%;-]*\Z") | st.integers() | st.none())
    def test_no_value_breaks_out(self, value: Any) -> None:
        """Letters, digits, dot, underscore and hyphen, 64 at most; anything else is left out, not repaired."""
        with bind(request_id=value, job_id="j", trace_id=value, span_id=SPAN):
            whole = commented("SELECT 1")
        kept = isinstance(value, str) and value.isascii() and 0 < len(value) <= 64
        kept = kept and all(each.isalnum() or each in "._-" for each in value)
        told = f",request_id='{value}',traceparent='00-{value}-{SPAN}-00'" if kept else ""
        assert whole == f"SELECT 1 /*job_id='j'{told}*/"
        assert normalized(whole, "mysql") == "SELECT ?"


@pytest.fixture
def db(mariadb_url: str) -> Iterator[DatabaseManager]:
    """An open database with a table of notes, whose query log counts."""
    with DatabaseManager(mariadb_url, queries=QueryLogOptions()) as database:
        metadata.create_all(database.backend.engine("write"))
        yield database


@pytest.fixture
def watcher(mariadb_url: str) -> Iterator[Any]:
    """Somebody who looks at the server."""
    there = MysqlServer.from_url(mariadb_url)
    host: dict[str, Any] = {"host": there.host, "port": there.port, "user": there.user, "password": there.password}
    connection = pymysql.connect(**host, autocommit=True)
    with connection, connection.cursor() as cursor:
        yield cursor


@pytest.mark.mysql
class TestServer:
    """MariaDB shows it, and nothing else changes."""

    def test_its_process_list_shows_it(self, db: DatabaseManager, watcher: Any) -> None:
        """While the statement runs, whoever looks is led to the request."""

        def ask() -> None:
            with bind(request_id="r-slow"):
                db.rows(text("SELECT SLEEP(1)"))

        asking = threading.Thread(target=ask)
        asking.start()

        def seen() -> Any:
            watcher.execute("SELECT info FROM information_schema.processlist WHERE info LIKE '%SLEEP(1)%'")
            return [each for (each,) in watcher.fetchall() if "processlist" not in each]

        assert until(seen) == ["SELECT SLEEP(1) /*request_id='r-slow'*/"]
        asking.join()

    def test_its_slow_log_shows_it(self, db: DatabaseManager, watcher: Any) -> None:
        """Statements, rows sent together, and those of the ORM's kind; the values are as they were."""
        watcher.execute("SET GLOBAL log_output = 'TABLE', slow_query_log = ON")
        try:
            with bind(request_id="r-1", job_id="100%s*/'"), db.write() as tx:
                tx.connection.exec_driver_sql("SET SESSION slow_query_log = ON, long_query_time = 0")
                tx.execute(insert(notes), [{"id": number, "said": f"100%s*/{number}"} for number in (1, 2)])
                tx.execute(select(notes).where(notes.c.said == "100%"))
                tx.connection.exec_driver_sql("SELECT '50%%' LIKE 'x%%' FROM notes;")
        finally:
            watcher.execute("SET GLOBAL slow_query_log = OFF, log_output = DEFAULT")
        watcher.execute("SELECT CONVERT(sql_text USING utf8mb4) FROM mysql.slow_log WHERE sql_text LIKE '%notes%'")
        told = [" ".join(each.split()) for (each,) in watcher.fetchall() if "r-1" in each]
        assert told == [
            "INSERT /*request_id='r-1'*/ INTO notes (id, said) VALUES (1, '100%s*/1'),(2, '100%s*/2')",
            "SELECT notes.id, notes.said FROM notes WHERE notes.said = '100%' /*request_id='r-1'*/",
            "SELECT '50%' LIKE 'x%' FROM notes /*request_id='r-1'*/",
        ]
        assert [row.said for row in db.rows(select(notes))] == ["100%s*/1", "100%s*/2"]

    def test_the_query_log_does_not_see_it(self, db: DatabaseManager) -> None:
        """A statement is one, whoever asks; what it sees is the text without the comment."""
        assert db.queries is not None
        db.rows(select(notes))
        db.queries.reset()
        for name in ("r-1", "r-2"):
            with bind(request_id=name):
                db.rows(select(notes))
        (found,) = db.queries.stats()
        assert (found.count, found.sql) == (2, "SELECT notes.id, notes.said FROM notes")
        assert len([text for text in db.queries._texts if "notes" in text]) == 1

    def test_it_can_be_left_out(self, mariadb_url: str) -> None:
        """By an attribute, before the first unit."""
        with DatabaseManager(mariadb_url) as database, bind(request_id="r-1"):
            database.comments = False
            shown = text("SELECT info FROM information_schema.processlist WHERE id = CONNECTION_ID()")
            assert "r-1" not in database.rows(shown)[0][0]
        with DatabaseManager(mariadb_url) as database, bind(request_id="r-1"):
            assert database.rows(shown)[0][0].endswith("/*request_id='r-1'*/")
