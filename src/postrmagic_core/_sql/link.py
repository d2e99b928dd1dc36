"""A pool's connection for statements of this package's own, in the driver's words and without SQLAlchemy's results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from sqlalchemy import Connection

from .interface import Backend, Role


class Link(Protocol):
    """One connection out of a pool, given back at the end of its block; what was begun and not committed is undone.

    Each method raises this package's errors.
    """

    @property
    def driver(self) -> Any:
        """The driver's connection."""
        ...

    def rows(self, statement: str, values: Sequence[Any]) -> list[Any]:
        """The rows of a query."""
        ...

    def change(self, statement: str, values: Sequence[Any]) -> int:
        """How many rows a statement changed."""
        ...

    def begin(self) -> None:
        """Begin as the engine of this role does."""
        ...

    def commit(self) -> None:
        """Commit."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None: ...


class EngineLink:
    """Through SQLAlchemy's connection, which knows when a server's connection has broken."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def driver(self) -> Any:
        """See :attr:`Link.driver`."""
        return self._connection.connection.dbapi_connection

    def rows(self, statement: str, values: Sequence[Any]) -> list[Any]:
        """See :meth:`Link.rows`."""
        return list(self._connection.exec_driver_sql(statement, tuple(values)))

    def change(self, statement: str, values: Sequence[Any]) -> int:
        """See :meth:`Link.change`."""
        return self._connection.exec_driver_sql(statement, tuple(values)).rowcount

    def begin(self) -> None:
        """See :meth:`Link.begin`."""
        self._connection.begin()

    def commit(self) -> None:
        """See :meth:`Link.commit`."""
        self._connection.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._connection.close()


@runtime_checkable
class SupportsLinks(Protocol):
    """What a backend adds that has a shorter way to its driver than its engines."""

    def link(self, role: Role) -> Link:
        """A connection of that engine's pool. No listener of the engine hears of its statements."""
        ...


def links_of(backend: Backend) -> Callable[[Role], Link]:
    """What gives a link to ``backend``, of the connections for reading or for writing."""
    if isinstance(backend, SupportsLinks):
        return backend.link
    return lambda role: EngineLink(backend.engine(role).connect())
