"""Statements of this package's own on a SQLite file, straight to the driver: a fifth of what SQLAlchemy's cost."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from .interface import Role
    from .sqlite import SqliteBackend


class FileLink:
    """A :class:`Link` to a file, which unlike a server's connection does not break: there is nothing to find out."""

    __slots__ = ("_backend", "_loan", "_role", "driver")

    def __init__(self, backend: SqliteBackend, role: Role) -> None:
        self._backend = backend
        self._role: Role = role
        try:
            self._loan: Any = backend.engine(role).pool.connect()
        except Exception as error:
            backend.refuse(error, role)
        self.driver: Any = self._loan.dbapi_connection

    def rows(self, statement: str, values: Sequence[Any]) -> list[Any]:
        """See :meth:`Link.rows`."""
        try:
            found: list[Any] = self.driver.execute(statement, values).fetchall()
        except Exception as error:
            self._backend.refuse(error, self._role)
        return found

    def change(self, statement: str, values: Sequence[Any]) -> int:
        """See :meth:`Link.change`."""
        try:
            changed: int = self.driver.execute(statement, values).rowcount
        except Exception as error:
            self._backend.refuse(error, self._role)
        return changed

    def begin(self) -> None:
        """See :meth:`Link.begin`."""
        try:
            self._backend.begin(self._loan, self._role)
        except Exception as error:
            self._backend.refuse(error, self._role)

    def commit(self) -> None:
        """See :meth:`Link.commit`."""
        try:
            self.driver.commit()
        except Exception as error:
            self._backend.refuse(error, self._role)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._loan.close()
