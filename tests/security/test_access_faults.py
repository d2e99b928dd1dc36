"""With the database away nobody may do what cannot be looked up: a killed and a stopped server, a broken file."""

from __future__ import annotations

import time
from typing import Any

import pytest

from postrmagic_core._sql import Timeouts
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendError
from postrmagic_core.security.access import Access, AccessDenied, Role, Roles, User
from postrmagic_core.security.tables import metadata
from postrmagic_core.testing import FakeClock
from postrmagic_core.testing.servers import MariaDBServer

ROLES = Roles([Role("admin", allow=["*:*"])])
SHORT = Timeouts(connect=1.0, statement=1.0, lock=1.0)


def made(url: str) -> None:
    """The tables, and an administrator."""
    with DatabaseManager(url) as database:
        with database.write() as tx:
            metadata.create_all(tx.connection)
        with Access(ROLES, database) as access:
            access.grant("7", "admin", actor=None)


@pytest.mark.fault
def test_with_the_database_away_nobody_is_known_past_the_age(house: Any) -> None:
    """What is known holds for the stated age; after it there is an error, never the old answer, until it is back."""
    url, away, back = house
    made(url)
    clock = FakeClock()
    with DatabaseManager(url, timeouts=SHORT) as database, Access(ROLES, database, clock=clock) as access:
        assert access.check(access.identity("7"), "user:delete")
        if url.startswith("sqlite"):
            database.backend.dispose(timeout=1)  # an open file is read on, whatever stands in its place
        away()
        try:
            clock.advance(0.999)
            assert access.identity("7").roles == {"admin"}
            with pytest.raises(BackendError):
                access.identity("8")
            clock.advance(0.001)
            for _ in range(3):
                with pytest.raises(BackendError):
                    access.identity("7")
            with pytest.raises(BackendError):
                access.revoke("7", "admin", actor=None)
        finally:
            back()
        assert access.identity("7").roles == {"admin"}


@pytest.mark.fault
@pytest.mark.mysql
def test_a_server_that_hangs_denies_in_time(server: MariaDBServer) -> None:
    """Stopped as by SIGSTOP it answers nothing: that is an error within the database's time-outs."""
    url = server.create_database()
    made(url)
    with (
        DatabaseManager(url, timeouts=SHORT) as database,
        Access(ROLES, database, max_age=0.0) as access,
    ):
        assert access.identity("7").roles == {"admin"}
        server.pause()
        try:
            began = time.monotonic()
            with pytest.raises(BackendError):
                access.identity("7")
            assert time.monotonic() - began < 10
        finally:
            server.resume()
        assert access.identity("7").roles == {"admin"}


@pytest.mark.fault
@pytest.mark.mysql
def test_denials_outlive_an_outage_of_the_audit_log(server: MariaDBServer, caplog: pytest.LogCaptureFixture) -> None:
    """They are denials all the same, allowed calls are allowed, and what was counted is written afterwards."""
    url = server.create_database()
    made(url)
    nobody, admin = User("9"), User("7", frozenset({"admin"}))
    with DatabaseManager(url, timeouts=SHORT) as database, Access(ROLES, database) as access:
        server.kill()
        try:
            for _ in range(5):
                with pytest.raises(AccessDenied):
                    access.require(nobody, "user:delete")
            access.require(admin, "user:delete")
            access.audit.flush()
        finally:
            server.start()
        assert any(getattr(record, "event", "") == "security.audit.failed" for record in caplog.records)
        access.audit.flush()
        rows = access.audit.find(action="access.denied")
        assert sum(int(str(row.detail["count"])) for row in rows) == 5
