"""It keeps what a broker promises; and what it is for."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import ClassVar

import pytest

from postrmagic_core.database import DatabaseManager
from postrmagic_core.jobs.adapter import BrokerAdapter, SqlBroker
from postrmagic_core.testing.contracts.broker import BrokerContract
from postrmagic_core.testing.contracts.broker_rig import Worker, new
from postrmagic_template.packed import PackedBroker


class TestPacked(BrokerContract):
    """In the application's own database."""

    broker_class = PackedBroker
    not_applicable: ClassVar[Mapping[str, str]] = {"namespaces": "an application's jobs are rows of its own database"}

    @pytest.fixture
    def broker_url(self, database_url: str) -> str:
        """An empty broker for each test."""
        return f"packed+{database_url}"

    def test_arguments_are_kept_compressed(self, broker: BrokerAdapter, database_url: str) -> None:
        """What compresses well takes little room."""
        broker.put([new(payload=b"x" * 100_000)])
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection:
            [(size,)] = connection.execute("SELECT length(payload) FROM pm_jobs").fetchall()
        assert size < 1_000

    def test_what_waits_already_is_delivered(
        self, broker: PackedBroker, database: DatabaseManager, worker: Worker
    ) -> None:
        """Enqueued by the shipped broker, in the same table."""
        with database.write() as tx:
            SqlBroker.put_in(broker, tx, [new(payload=b"as it is")])
        assert worker.claim_one().payload == b"as it is"
