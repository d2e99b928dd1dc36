"""A client of Redis, and a table in MariaDB that is written to."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
import redis

from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import OutcomeUnknown
from postrmagic_core.testing.servers import RedisServer
from tests.docs.given import make_tables, posters
from tests.docs.playing import Page


def save(db: DatabaseManager) -> None:
    """A row."""
    with db.write() as tx:
        tx.execute(posters.insert().values(name="Gala"))


def play(page: Page) -> None:
    """The server is killed and paused; the reply to a COMMIT is lost; the contract's class is one that pytest takes."""
    with ExitStack() as opened:

        def connect(url: str) -> DatabaseManager:
            return opened.enter_context(DatabaseManager(url))

        db = connect(page.urls["mariadb"])
        db.upgrade()
        make_tables(db)
        page.names.update(mariadb_url=page.urls["mariadb"], connect=connect, save=save, OutcomeUnknown=OutcomeUnknown)
        page.names.update(pytest=pytest, MyStore=object, make_client=redis.Redis.from_url)
        shown = page.run()

        def own(**options: Any) -> RedisServer:
            return opened.enter_context(RedisServer(**options))

        shown["test_the_counter_counts"](page.urls["redis"], page.urls["mariadb"])
        shown["test_it_survives_a_killed_server"](own)
        assert len(db.rows(posters.select())) == 1
        assert not getattr(shown["TestMyStore"], "__abstractmethods__", None)
