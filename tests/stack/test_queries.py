"""Query results through a Stack: kept where the settings say so, and invalidated by processes that only write."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack

numbers = Table("numbers", MetaData(), Column("n", Integer))


def make(directory: Path, **cache: bool) -> Stack:
    """An embedded Stack."""
    settings = Settings(stack={"data_dir": directory, "environment": "test"}, cache=cache)
    return Stack(settings, configure_logging=False)


def test_queries_are_kept_where_the_settings_say_so(tmp_path: Path) -> None:
    """A Stack that never touched its queries invalidates all the same: workers write, web processes read."""
    with make(tmp_path, queries=True) as reader, make(tmp_path, queries=True) as writer:
        with writer.database.write() as tx:
            numbers.create(tx.connection)
        assert reader.queries is reader.queries
        for count in range(3):
            for _ in range(2):
                assert reader.queries.rows(select(numbers), fresh=60) == [(1,)] * count
            assert reader.cache.stats().computes == count + 1
            with writer.database.write() as tx:
                tx.execute(insert(numbers).values(n=1))


def test_without_the_setting_nothing_is_kept_and_writes_cost_nothing(tmp_path: Path) -> None:
    """Asked for, they name the setting; not asked for, a write leaves no outbox row."""
    with make(tmp_path) as stack:
        with pytest.raises(ConfigurationError, match="POSTRMAGIC_CACHE__QUERIES"):
            _ = stack.queries
        with stack.database.write() as tx:
            numbers.create(tx.connection)
            tx.execute(insert(numbers).values(n=1))
        assert stack.database.outbox_counts() == {}
