"""The database contract on errors: typed alike on every database, and silent about values."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from sqlalchemy import insert, make_url, text, update

from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.errors import (
    BackendRejected,
    ConfigurationError,
    IntegrityViolation,
    PostrMagicError,
    UniqueViolation,
)
from postrmagic_core.registry import Registry

from .database_rows import Opener, Write, people

CANARY = "canary-7f3a"
_UNIQUE: list[Any] = [
    pytest.param({"id": 2, "name": "Ann"}, "uq_name_city", ("name", "city"), id="several columns"),
    pytest.param({"id": 1, "name": "Bob"}, "PRIMARY", ("id",), id="primary key"),
    pytest.param({"id": 2, "name": "Bob", "email": "ann@example.org"}, "ix_email", ("email",), id="index"),
]


class ErrorPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.database.DatabaseContract`."""

    @pytest.fixture
    def ann(self, write: Write) -> Write:
        """A writer, once there is a person."""
        write(lambda tx: tx.execute(insert(people).values(id=1, name="Ann", email="ann@example.org", age=30)))
        return write

    @pytest.mark.parametrize(("values", "constraint", "columns"), _UNIQUE)
    def test_a_unique_violation_names_constraint_table_and_columns(
        self, ann: Write, values: dict[str, object], constraint: str, columns: tuple[str, ...]
    ) -> None:
        """By the names declared in the metadata; a primary key is called PRIMARY."""
        with pytest.raises(UniqueViolation) as caught:
            ann(lambda tx: tx.execute(insert(people).values(**values)))
        found = caught.value
        assert (found.constraint, found.table, found.columns) == (constraint, "people", columns)

    def test_a_unique_violation_of_textual_sql_names_table_and_columns(self, ann: Write) -> None:
        """Without metadata both are still found."""
        statement = text("INSERT INTO people (id, name) VALUES (2, :name)")
        with pytest.raises(UniqueViolation) as caught:
            ann(lambda tx: tx.execute(statement, {"name": "Ann"}))
        assert (caught.value.table, caught.value.columns) == ("people", ("name", "city"))

    def test_a_row_that_is_refused_leaves_nothing_locked(self, ann: Write, open_database: Opener) -> None:
        """Also where it was all that the unit did: others may change the row that was in its way."""
        with pytest.raises(UniqueViolation):
            ann(lambda tx: tx.execute(insert(people).values(id=1, name="Bob")))
        with open_database().write() as tx:
            assert tx.execute(update(people).values(age=31)).rowcount == 1

    @pytest.mark.parametrize(
        "values",
        [
            pytest.param({"name": None}, id="null"),
            pytest.param({"name": "Bob", "age": -1}, id="check"),
            pytest.param({"name": "Bob", "boss": 77}, id="foreign key"),
            pytest.param({"name": "Bob", "age": 2**70}, id="beyond 64 bits"),
            pytest.param({"name": "half a pair \ud800"}, id="no Unicode"),
        ],
    )
    def test_a_row_that_is_refused_is_an_integrity_violation(self, ann: Write, values: dict[str, object]) -> None:
        """NOT NULL, CHECK, foreign keys, and what no column can hold."""
        with pytest.raises(IntegrityViolation) as caught:
            ann(lambda tx: tx.execute(insert(people).values(id=2, **values)))
        assert type(caught.value) is IntegrityViolation

    @pytest.mark.promise("declared sizes")
    @pytest.mark.parametrize(
        "values",
        [pytest.param({"name": CANARY * 4}, id="too long"), pytest.param({"name": "Bob", "age": 40_000}, id="range")],
    )
    def test_a_value_beyond_its_columns_size_is_refused(self, ann: Write, values: dict[str, object]) -> None:
        """Never cut or clipped; row ``declared sizes``, for databases that keep them."""
        with pytest.raises(IntegrityViolation) as caught:
            ann(lambda tx: tx.execute(insert(people).values(id=2, **values)))
        assert CANARY not in _shown(caught.value)

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO people (id, name) VALUES (3, :secret)",
            "UPDATE people SET id = id, nonsense = :secret",
            "SELECT FROM :secret",
            "INSERT INTO people (id, name, age) VALUES (2, 'x', :secret - 'x' - 4)",
        ],
        ids=["unique", "column", "syntax", "conversion"],
    )
    def test_no_error_repeats_a_bound_value(self, write: Write, statement: str) -> None:
        """Neither its text nor its chain of causes shows what was bound."""
        write(lambda tx: tx.execute(insert(people).values(id=9, name=CANARY)))

        def work(tx: Unit) -> None:
            tx.execute(text(statement), {"secret": CANARY})

        with pytest.raises(PostrMagicError) as caught:
            write(work)
        assert CANARY not in _shown(caught.value)

    def test_the_drivers_error_stays_as_the_cause(self, write: Write, database: DatabaseManager) -> None:
        """Who debugs finds the driver's exception behind ours, which is mapped once."""
        with pytest.raises(BackendRejected) as caught:
            write(lambda tx: tx.execute(text("SELECT * FROM missing_table")))
        cause = caught.value.__cause__
        assert cause is not None
        assert "missing_table" in str(cause)
        assert type(database.backend.map_error(cause)) is BackendRejected
        assert database.backend.map_error(caught.value) is caught.value
        assert database.backend.map_error(ValueError()) is None

    def test_a_url_that_cannot_be_used_keeps_its_password(self, database_url: str, registry: Registry | None) -> None:
        """Refused when the manager is made, saying what was expected and repeating no secret."""
        url = make_url(database_url)
        url = url.set(username="user", password=CANARY, host=url.host or "127.0.0.1")
        shown = url.update_query_dict({"no_such_option": "1"}).render_as_string(hide_password=False)
        with pytest.raises(ConfigurationError) as caught:
            DatabaseManager(shown, registry=registry)
        assert CANARY not in _shown(caught.value)

    def test_the_databases_id_holds_no_credentials(self, database_url: str, database: DatabaseManager) -> None:
        """It is shown and stored; two managers of one database share it."""
        assert database.database_id == database.aio.database_id == database.backend.database_id()
        password = make_url(database_url).password
        assert password is None or str(password) not in database.database_id


def _shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)
