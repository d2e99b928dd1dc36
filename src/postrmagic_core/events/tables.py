"""The tables of events: the log of durable events, and one row for each delivery to a listener."""

from __future__ import annotations

from sqlalchemy import Column, Index, MetaData, Table

from .._sql.types import TABLE_OPTIONS, Blob, Key, Micros

metadata = MetaData()

events = Table(
    "pm_events",
    metadata,
    Column("id", Key(36), primary_key=True),
    Column("type", Key(200), nullable=False),
    Column("payload", Blob(), nullable=False),
    Column("occurred_us", Micros(), nullable=False),
    Column("correlation_id", Key(36), nullable=False),
    Column("causation_id", Key(36)),
    Index("ix_pm_events_type", "type", "occurred_us"),
    Index("ix_pm_events_occurred", "occurred_us"),
    Index("ix_pm_events_correlation", "correlation_id"),
    **TABLE_OPTIONS,
)

# stream orders a listener's deliveries by position; job_id is empty while one waits for another that is before it.
deliveries = Table(
    "pm_event_deliveries",
    metadata,
    Column("event_id", Key(36), primary_key=True),
    Column("listener", Key(200), primary_key=True),
    Column("job_id", Key(36), nullable=False),
    Column("done_us", Micros()),
    Column("stream", Key(200)),
    Column("position", Micros()),
    Column("dead_us", Micros()),
    Column("error", Key(200)),
    Index("ix_pm_event_deliveries_order", "listener", "stream", "position"),
    Index("ix_pm_event_deliveries_left", "done_us", "dead_us", "event_id"),
    **TABLE_OPTIONS,
)
