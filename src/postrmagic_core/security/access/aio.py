"""Access and its audit log for asyncio: the same names, awaitable where the database is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..._protocols import AwaitableUnitLike, Identity
from ...errors import AccessDenied
from ..units import lifted
from .interface import AuditEntry, Explanation, User

if TYPE_CHECKING:
    from .audit import AuditLog
    from .manager import Access

F = TypeVar("F", bound=Callable[..., Any])


class AsyncAccess:
    """:attr:`Access.aio`. A decision does not wait, so that what only decides is called, not awaited."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def check(self, who: Identity | None, permission: str, obj: object = None) -> bool:
        """See :meth:`Access.check`."""
        return self._access.check(who, permission, obj)

    def policy(self, *permissions: str) -> Callable[[F], F]:
        """See :meth:`Access.policy`."""
        return self._access.policy(*permissions)

    def owner(self, resource: str) -> Callable[[F], F]:
        """See :meth:`Access.owner`."""
        return self._access.owner(resource)

    def require(self, who: Identity | None, permission: str, obj: object = None, *, hidden: bool = False) -> None:
        """See :meth:`Access.require`."""
        self._access.require(who, permission, obj, hidden=hidden)

    def refuse(self, who: Identity | None, permission: str, *, hidden: bool = False, why: str = "") -> AccessDenied:
        """See :meth:`Access.refuse`."""
        return self._access.refuse(who, permission, hidden=hidden, why=why)

    def explain(self, who: Identity | None, permission: str, obj: object = None) -> Explanation:
        """See :meth:`Access.explain`."""
        return self._access.explain(who, permission, obj)

    def requires(
        self, permission: str, *, obj: str | None = None, who: str | None = None, hidden: bool = False
    ) -> Callable[[F], F]:
        """See :meth:`Access.requires`."""
        return self._access.requires(permission, obj=obj, who=who, hidden=hidden)

    def acting(self, who: Identity | None) -> AbstractContextManager[None]:
        """See :meth:`Access.acting`."""
        return self._access.acting(who)

    async def identity(self, user_id: str) -> User:
        """See :meth:`Access.identity`; what is known already takes no thread. To be asked before a unit is opened."""
        known = self._access.known(user_id)
        return known if known is not None else await self._access.bridge.lift(lambda: self._access.identity(user_id))

    def known(self, user_id: str) -> User | None:
        """See :meth:`Access.known`."""
        return self._access.known(user_id)

    async def grant(self, user_id: str, role: str, *, actor: str | None, tx: AwaitableUnitLike | None = None) -> bool:
        """See :meth:`Access.grant`; ``tx`` is what ``async with db.aio.write()`` gave."""
        return await self._changed(tx, lambda unit: self._access.grant(user_id, role, actor=actor, tx=unit))

    async def revoke(self, user_id: str, role: str, *, actor: str | None, tx: AwaitableUnitLike | None = None) -> bool:
        """See :meth:`Access.revoke`; ``tx`` is what ``async with db.aio.write()`` gave."""
        return await self._changed(tx, lambda unit: self._access.revoke(user_id, role, actor=actor, tx=unit))

    async def roles_of(self, user_id: str) -> list[str]:
        """See :meth:`Access.roles_of`."""
        return await self._access.bridge.lift(lambda: self._access.roles_of(user_id))

    async def users_with(self, role: str, limit: int = 1000) -> list[str]:
        """See :meth:`Access.users_with`."""
        return await self._access.bridge.lift(lambda: self._access.users_with(role, limit))

    def invalidate(self, user_id: str) -> None:
        """See :meth:`Access.invalidate`."""
        self._access.invalidate(user_id)

    async def _changed(self, tx: AwaitableUnitLike | None, call: Callable[[Any], bool]) -> bool:
        return await lifted(self._access.bridge, self._access.database, tx, call)


class AsyncAuditLog:
    """:attr:`AuditLog.aio`."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit

    async def record(
        self,
        action: str,
        *,
        actor: str | None,
        subject: str | None,
        outcome: str = "done",
        detail: Mapping[str, object] | None = None,
        tx: AwaitableUnitLike | None = None,
    ) -> str:
        """See :meth:`AuditLog.record`; ``tx`` is what ``async with db.aio.write()`` gave."""
        record = partial(self._audit.record, action, actor=actor, subject=subject, outcome=outcome, detail=detail)
        return await lifted(self._audit.bridge, self._audit.database, tx, lambda unit: record(tx=unit))

    def denied(self, actor: str | None, permission: str, why: str = "") -> None:
        """See :meth:`AuditLog.denied`."""
        self._audit.denied(actor, permission, why)

    async def flush(self) -> None:
        """See :meth:`AuditLog.flush`."""
        await self._audit.bridge.lift(self._audit.flush)

    async def find(
        self,
        *,
        actor: str | None = None,
        subject: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[AuditEntry]:
        """See :meth:`AuditLog.find`."""
        find = partial(self._audit.find, actor=actor, subject=subject, action=action, since=since, limit=limit)
        return await self._audit.bridge.lift(find)

    async def purge(self, before: datetime, *, actor: str | None = None) -> int:
        """See :meth:`AuditLog.purge`."""
        return await self._audit.bridge.lift(lambda: self._audit.purge(before, actor=actor))
