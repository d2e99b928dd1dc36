"""The database that settings describe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._sql import PoolLimits, Timeouts
from .analysis.options import QueryLogOptions
from .manager import DatabaseManager

if TYPE_CHECKING:
    from ..settings import Settings
    from .migrating.interface import Migrations


def database_of(settings: Settings, **how: Any) -> DatabaseManager:
    """The database of ``settings``, not opened; ``how``: clock, metrics and registry, as :class:`DatabaseManager`'s."""
    room = settings.database
    database = DatabaseManager(
        settings.database_url(),
        migrations=_migrations(settings),
        pool=PoolLimits(
            size=room.pool_size,
            overflow=room.pool_overflow,
            timeout=room.pool_timeout,
            max_age=room.pool_max_age,
            idle_check=room.pool_idle_check,
            hold_budget=room.pool_hold_budget,
        ),
        timeouts=Timeouts(connect=room.connect_timeout, statement=room.statement_timeout, lock=room.lock_timeout),
        queries=_query_log(settings),
        **how,
    )
    database.comments = room.comments
    return database


def _migrations(settings: Settings) -> Migrations | None:
    from .migrating.interface import Migrations

    room = settings.database
    return None if room.migrations is None else Migrations(room.migrations, room.metadata)


def _query_log(settings: Settings) -> QueryLogOptions | None:
    room = settings.database
    if not room.query_log:
        return None
    return QueryLogOptions(
        directory=settings.stack.data_dir / "queries",
        slow=room.slow_query,
        budget=room.query_budget,
        repeated=room.repeated_query,
    )
