"""SQLite that waits for the disk at each commit: not even a power failure takes back what was acknowledged."""

from __future__ import annotations

from typing import Any, Self

from sqlalchemy import Engine, event

from postrmagic_core.database.adapter import Role, SqliteBackend


class DurableBackend(SqliteBackend):
    """The shipped adapter, with one PRAGMA more."""

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """``durable:///app.db``, with pool, timeouts and metrics; connects to nothing."""
        return super().from_url("sqlite" + url.removeprefix("durable"), **options)

    def _build(self, role: Role) -> Engine:
        engine = super()._build(role)
        event.listen(engine, "connect", self._wait_for_the_disk)  # for each connection, after a reconnect too
        return engine

    def _wait_for_the_disk(self, connection: Any, record: object) -> None:
        connection.execute("PRAGMA synchronous=FULL")
