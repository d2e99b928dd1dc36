"""Jobs kept and handed out by a database: SQLite, MySQL, MariaDB."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Self

from ..._sql import open_backend
from ...database import DatabaseManager
from ..interface import BrokerOptions
from ._datagrams import Chimes, Doorbell
from ._rows_broker import RowsBroker


class SqlBroker(RowsBroker):
    """The rows of ``pm_jobs``, in the application's database or in one of their own.

    Where it is the application's, a job is enqueued in the caller's own unit. Processes of one host wake each other by
    datagrams, whose addresses are among the workers' rows.
    """

    def __init__(self, url: str, options: BrokerOptions) -> None:
        same = open_backend(url).database_id() == options.database.database_id
        self._own = None if same else DatabaseManager(url)
        super().__init__(self._own or options.database, options)
        self._chimes = Chimes(options.database)

    @classmethod
    def from_url(cls, url: str, options: BrokerOptions) -> Self:
        """An adapter for ``url``; queues are kept apart by name in the database, ``namespace`` is a server's."""
        return cls(url, options)

    def open(self) -> None:
        """Open and migrate the broker's own database, if it has one."""
        if self._own is not None:
            self._own.open()
            self._own.upgrade()

    def listen(self, queues: Sequence[str], ring: Callable[[], None]) -> AbstractContextManager[Doorbell]:
        """See :meth:`Deliveries.listen`; all queues ring one bell, commits of this process at once."""
        return Doorbell(self._chimes, ring)

    def close(self) -> None:
        """Release the broker's own database."""
        self._chimes.close()
        if self._own is not None:
            self._own.close()

    def _announce(self, named: Sequence[tuple[str, str]]) -> None:
        self._chimes.call()
