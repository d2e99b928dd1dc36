"""The contract of databases: red, on the right promise, on each adapter that breaks one."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, event

from postrmagic_core.database.adapter import Role, SqliteBackend
from postrmagic_core.errors import BackendUnavailable, PostrMagicError
from postrmagic_core.registry import DATABASES, Registry
from tests.planted import expect_red


class Good(SqliteBackend):
    """As it is shipped, under another scheme."""

    on_connect = ""

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Any:
        """See the interface."""
        return super().from_url("sqlite" + url.removeprefix("planted"), **options)

    def _build(self, role: Role) -> Engine:
        engine = super()._build(role)
        if self.on_connect:
            event.listen(engine, "connect", lambda connection, _: connection.execute(self.on_connect))
        return engine


class Permissive(Good):
    """Writes by the engine for reading."""

    on_connect = "PRAGMA query_only=OFF"


class Unrelated(Good):
    """Keeps rows whose parents there are not."""

    on_connect = "PRAGMA foreign_keys=OFF"


class Optimistic(Good):
    """Begins to write as it begins to read, and reads what is not committed yet."""

    def _begin_write(self, connection: Any) -> None:
        connection.dbapi_connection.execute("PRAGMA read_uncommitted=ON")

    def _in_transaction(self, connection: Any) -> bool:
        return False


class Unstable(Good):
    """Reads the newest at each statement."""

    def _begin_read(self, connection: Any) -> None:
        pass


class Blurred(Good):
    """Takes every error for one of the server."""

    def map_error(self, error: BaseException) -> PostrMagicError | None:
        """See the interface."""
        return BackendUnavailable("something failed")

    def _translate(self, error: BaseException, context: Any) -> PostrMagicError | None:
        return BackendUnavailable("something failed")


class Talkative(Good):
    """Repeats what was bound."""

    def _translate(self, error: BaseException, context: Any) -> PostrMagicError | None:
        return BackendUnavailable(f"{error} with {getattr(context, 'parameters', None)}")


BAD = {
    "Permissive": {"reading_takes_no_writes"},
    "Unrelated": {"a_row_that_is_refused_is_an_integrity_violation[sync-foreign key]"},
    "Optimistic": {"a_failed_unit_leaves_nothing[sync]", "a_failed_unit_leaves_nothing[aio]"},
    "Unstable": {"a_snapshot_is_of_one_instant"},
    "Blurred": {"a_unique_violation_names_constraint_table_and_columns[transact-index]"},
    "Talkative": {"no_error_repeats_a_bound_value[sync-unique]", "no_error_repeats_a_bound_value[aio-syntax]"},
}
MODULE = """
import pytest
from postrmagic_core.testing.contracts.database import DatabaseContract
from tests.testing import test_database_contract as plants

def planted(kind, tests):
    class Planted(DatabaseContract):
        @pytest.fixture
        def database_url(self, tmp_path):
            return f"planted:///{{tmp_path}}/app.db"

        @pytest.fixture
        def registry(self):
            return plants.knowing(kind)

    for test in dir(Planted):
        if test.startswith("test_") and test not in tests:
            setattr(Planted, test, None)
    return Planted

for name, tests in {tests}.items():
    globals()["Test" + name] = planted(getattr(plants, name), tests)
"""


def knowing(kind: type[Good]) -> Registry:
    """A registry that has it."""
    registry = Registry(lambda _: [])
    registry.register(DATABASES, "planted", kind)
    return registry


@pytest.mark.soak
def test_each_broken_promise_is_red(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the tests named for it; the same are green on the adapter that is shipped."""
    expect_red(pytester, monkeypatch, MODULE, BAD)
