"""The published contract of events, wherever jobs are kept; and broken managers, on which it is red."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.database import DatabaseManager
from postrmagic_core.jobs import JobQueue
from postrmagic_core.testing.contracts.events import EventContract
from tests.copies import packaged
from tests.planted import ended


class OverSqlite(EventContract):
    """A file of the test's own as the database."""

    @pytest.fixture
    def event_database(self, tmp_path: Path) -> Iterator[DatabaseManager]:
        """Made for it."""
        url = f"sqlite:///{tmp_path / 'app.db'}"
        packaged(url)
        with DatabaseManager(url) as database:
            yield database


class TestEmbedded(OverSqlite):
    """Jobs in the same file."""

    @pytest.fixture
    def event_queue(self, event_database: DatabaseManager, tmp_path: Path) -> Iterator[JobQueue]:
        """There."""
        with JobQueue(f"sqlite:///{tmp_path / 'app.db'}", database=event_database) as queue:
            yield queue


@pytest.mark.redis
class TestRedis(OverSqlite):
    """Jobs on Redis, through the outbox."""

    @pytest.fixture
    def event_queue(self, event_database: DatabaseManager, redis_url: str) -> Iterator[JobQueue]:
        """There; nobody kills it here."""
        with JobQueue(f"{redis_url}?durability=none", database=event_database) as queue:
            yield queue


@pytest.mark.rabbitmq
class TestRabbitmq(OverSqlite):
    """Workers woken through RabbitMQ."""

    @pytest.fixture
    def event_queue(self, event_database: DatabaseManager, rabbitmq_url: str) -> Iterator[JobQueue]:
        """There."""
        with JobQueue(rabbitmq_url, database=event_database) as queue:
            yield queue


@pytest.mark.mysql
class TestMariadb(EventContract):
    """Everything on MariaDB."""

    @pytest.fixture
    def event_database(self, mariadb_url: str) -> Iterator[DatabaseManager]:
        """A database of the test's own."""
        packaged(mariadb_url)
        with DatabaseManager(mariadb_url) as database:
            yield database

    @pytest.fixture
    def event_queue(self, event_database: DatabaseManager, mariadb_url: str) -> Iterator[JobQueue]:
        """There."""
        with JobQueue(mariadb_url, database=event_database) as queue:
            yield queue


MODULE = """
import pytest
from postrmagic_core.testing.contracts import events as contract
from tests.events.test_contract import BROKEN, TestEmbedded as Embedded

def planted(tests, target, attribute, double):
    class Planted(Embedded):
        @pytest.fixture(autouse=True)
        def _broken(self, monkeypatch):
            monkeypatch.setattr(contract, "_PATIENCE", 3.0)
            monkeypatch.setattr(target, attribute, double)

    for test in dir(Planted):
        if test.startswith("test_") and test not in tests:
            setattr(Planted, test, None)
    return Planted

for name, (broken, tests) in BROKEN.items():
    globals()["Test" + name] = planted(tests, *broken)
del Embedded
"""


def _broken() -> dict[str, tuple[tuple[Any, str, Any], set[str]]]:
    """Managers by name: what is replaced by what, and which tests must see it."""
    from postrmagic_core.events import calling, durable, emitting, journal

    def early(self: Any, tx: Any, ctx: Any, heard: Any) -> None:
        self._caller.before(heard.before, ctx, tx)
        self._caller.after(heard.after, ctx)

    def one_for_all(self: Any, event_id: str, listener: str, job_id: str, error: str | None) -> None:
        """Nothing is noted, and nobody goes on."""

    def unordered(tx: Any, listener: str, stream: str | None) -> journal.Place:
        return journal.Place()

    def forgetful(self: Any, listener: Any, because: Any, ctx: Any) -> object:
        return listener.function(because.event, ctx)

    return {
        "Early": (
            (emitting.Emitter, "_with", early),
            {"test_each_phase_has_its_time", "test_what_is_rolled_back_has_not_happened"},
        ),
        "Endless": (
            (durable.Durable, "_end", one_for_all),
            {
                "test_each_durable_listener_has_a_delivery_of_its_own",
                "test_those_of_one_key_are_heard_in_order",
                "test_what_is_given_up_is_seen_and_can_be_replayed",
                "test_a_cancelled_delivery_is_given_up",
            },
        ),
        "Unordered": ((journal, "place", unordered), {"test_a_cancelled_delivery_is_given_up"}),
        "Forgetful": ((calling.Caller, "call", forgetful), {"test_an_event_knows_its_causes"}),
    }


BROKEN = _broken()


@pytest.mark.soak
def test_each_broken_manager_is_seen(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the tests that are for it."""
    seen = ended(pytester, monkeypatch, MODULE)
    for name, (_, tests) in BROKEN.items():
        assert {test.removeprefix("test_") for test in tests} <= seen["FAILED"][name], name
