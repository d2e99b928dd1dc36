"""AsyncPasswords: the same passwords for asyncio, hashed in threads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from .interface import Verified

if TYPE_CHECKING:
    from .manager import Passwords


class AsyncPasswords:
    """The async face of :class:`Passwords`; a cancelled call keeps its place until its thread has ended."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords

    async def require(self, password: str, context: Iterable[str] = (), *, pointer: str = "/password") -> None:
        """See :meth:`Passwords.require`; ``breached`` runs in a thread."""
        words: Sequence[str] = tuple(context)
        await self._passwords.checks.lift(partial(self._passwords.require, password, words, pointer=pointer))

    async def hash(self, password: str) -> str:
        """See :meth:`Passwords.hash`."""
        self._passwords.ensure_open()
        work = self._passwords.work
        work.check_length(password)
        with work.watched():
            async with work.slots.aheld():
                return await self._passwords.bridge.lift(partial(work.hashing.hash, password))

    async def verify(self, password: str, stored: str | None) -> Verified:
        """See :meth:`Passwords.verify`."""
        self._passwords.ensure_open()
        work = self._passwords.work
        if not work.can_be_right(password):
            return Verified(False)
        with work.watched():
            async with work.slots.aheld():
                return work.counted(await self._passwords.bridge.lift(partial(work.hashing.verify, password, stored)))
