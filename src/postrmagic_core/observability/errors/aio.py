"""AsyncErrors: the same names for asyncio, awaitable."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from .interface import ErrorGroup, State

if TYPE_CHECKING:
    from .manager import Errors

R = TypeVar("R")


class AsyncErrors:
    """The async face of :class:`Errors`."""

    def __init__(self, errors: Errors) -> None:
        self._errors = errors

    async def find(
        self,
        *,
        state: State | None = None,
        since: datetime | None = None,
        search: str = "",
        limit: int = 100,
        after: str | None = None,
    ) -> list[ErrorGroup]:
        """See :meth:`Errors.find`."""
        find = partial(self._errors.find, state=state, since=since, search=search, limit=limit, after=after)
        return await self._lift(find)

    async def get(self, fingerprint: str) -> ErrorGroup | None:
        """See :meth:`Errors.get`."""
        return await self._lift(lambda: self._errors.get(fingerprint))

    async def hourly(self, fingerprints: Collection[str], *, hours: int = 24) -> Mapping[str, list[int]]:
        """See :meth:`Errors.hourly`."""
        return await self._lift(lambda: self._errors.hourly(fingerprints, hours=hours))

    async def resolve(self, fingerprint: str, *, release: str = "", by: str = "") -> bool:
        """See :meth:`Errors.resolve`."""
        return await self._lift(lambda: self._errors.resolve(fingerprint, release=release, by=by))

    async def ignore(
        self, fingerprint: str, *, until: datetime | None = None, more: int | None = None, by: str = ""
    ) -> bool:
        """See :meth:`Errors.ignore`."""
        return await self._lift(lambda: self._errors.ignore(fingerprint, until=until, more=more, by=by))

    async def reopen(self, fingerprint: str, *, by: str = "") -> bool:
        """See :meth:`Errors.reopen`."""
        return await self._lift(lambda: self._errors.reopen(fingerprint, by=by))

    async def delete(self, fingerprint: str, *, by: str = "") -> bool:
        """See :meth:`Errors.delete`."""
        return await self._lift(lambda: self._errors.delete(fingerprint, by=by))

    async def sweep(self) -> int:
        """See :meth:`Errors.sweep`."""
        return await self._lift(self._errors.sweep)

    async def close(self) -> None:
        """See :meth:`Errors.close`."""
        self._errors.close()

    async def _lift(self, call: Callable[[], R]) -> R:
        return await self._errors.bridge.lift(call)
