"""Flags for asyncio: the same names, awaitable where the database is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from .._protocols import AwaitableUnitLike, Identity
from .interface import Explanation, Flag, Rule
from .manager import refuse_open_unit
from .view import View

if TYPE_CHECKING:
    from .manager import Flags


class AsyncFlags:
    """:attr:`Flags.aio`. A decision does not wait, so that what only decides is called, not awaited."""

    def __init__(self, flags: Flags) -> None:
        self._flags = flags

    def on(self, name: str, who: Identity | str | None = None) -> bool:
        """See :meth:`Flags.on`."""
        return self._flags.on(name, who)

    def fixed(self, who: Identity | str | None = None) -> View:
        """See :meth:`Flags.fixed`."""
        return self._flags.fixed(who)

    def state(self, who: Identity | str | None = None, names: Iterable[str] | None = None) -> dict[str, bool]:
        """See :meth:`Flags.state`."""
        return self._flags.state(who, names)

    def explain(self, name: str, who: Identity | str | None = None) -> Explanation:
        """See :meth:`Flags.explain`."""
        return self._flags.explain(name, who)

    def known(self) -> list[str]:
        """See :meth:`Flags.known`."""
        return self._flags.known()

    async def set(self, name: str, rule: Rule, *, actor: str | None, tx: AwaitableUnitLike | None = None) -> bool:
        """See :meth:`Flags.set`; ``tx`` is what ``async with db.aio.write()`` gave."""
        return await self._changed(tx, lambda unit: self._flags.set(name, rule, actor=actor, tx=unit))

    async def clear(self, name: str, *, actor: str | None, tx: AwaitableUnitLike | None = None) -> bool:
        """See :meth:`Flags.clear`; ``tx`` is what ``async with db.aio.write()`` gave."""
        return await self._changed(tx, lambda unit: self._flags.clear(name, actor=actor, tx=unit))

    async def list(self) -> list[Flag]:
        """See :meth:`Flags.list`."""
        return await self._flags.bridge.lift(self._flags.list)

    async def _changed(self, tx: AwaitableUnitLike | None, call: Callable[[Any], bool]) -> bool:
        if tx is not None:
            return await tx.run(call)
        # Refused here: the thread in which a unit of its own is opened does not see the one that is open.
        refuse_open_unit(self._flags.database)
        return await self._flags.bridge.lift(partial(call, None))
