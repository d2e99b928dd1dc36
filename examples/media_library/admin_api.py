"""The HTTP interface of administrators: who has which role and why they may do what, and what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool

from postrmagic_core.api import Call, Reply, delete, get, put
from postrmagic_core.api.envelope import Data, PageWith
from postrmagic_core.api.interface import Refusal
from postrmagic_core.security.access import AuditEntry
from postrmagic_core.stack import Stack

from .accounts import Accounts, User
from .answers import Account, Entry, Explained, KnownRoles, RolesOf
from .calls import identity_of
from .forms import AccountsQuery, AuditQuery, Id, PermissionQuery
from .problems import PROBLEMS
from .roles import ROLES

_UNKNOWN = ["user.not_found", "role.not_found"]


@dataclass(frozen=True, slots=True)
class AdminApi:
    """What administrators see and decide: accounts, their roles, the audit log."""

    group = "admin"

    stack: Stack
    accounts: Accounts

    @get("/admin/users", PageWith[Account, KnownRoles], access="user:read")
    async def list_users(self, call: Call, query: AccountsQuery) -> Reply:
        """List accounts.

        With their roles; ``meta`` tells which roles there are.
        """
        asked = self.accounts.ask(identity_of(call).id, query)
        found = await run_in_threadpool(self.accounts.listed, asked)
        return Reply(found.rows, next=found.next, meta={"roles": list(ROLES)})

    @get("/admin/users/{id}/roles", Data[RolesOf], access="user:read", problems=["user.not_found"])
    async def show_roles(self, id: Id) -> dict[str, Any] | Refusal:
        """Show an account's roles."""
        user = await self._user(id)
        return _no("user") if user is None else await self._roles(user)

    @put("/admin/users/{id}/roles/{role}", Data[RolesOf], access="user:grant", problems=_UNKNOWN)
    async def grant_role(self, call: Call, id: Id, role: str) -> dict[str, Any] | Refusal:
        """Give a role.

        One that was given already stays.
        """
        user = await self._user(id)
        if user is None or role not in ROLES:
            return _no("user" if user is None else "role")
        await self.stack.security.access.aio.grant(user.key, role, actor=identity_of(call).id)
        return await self._roles(user)

    @delete(
        "/admin/users/{id}/roles/{role}",
        Data[RolesOf],
        access="user:grant",
        problems=[*_UNKNOWN, "data.last_holder"],
    )
    async def revoke_role(self, call: Call, id: Id, role: str) -> dict[str, Any] | Refusal:
        """Take a role away.

        409 where somebody must have it and nobody else does.
        """
        user = await self._user(id)
        if user is None or role not in ROLES:
            return _no("user" if user is None else "role")
        await self.stack.security.access.aio.revoke(user.key, role, actor=identity_of(call).id)
        return await self._roles(user)

    @get("/admin/users/{id}/explain", Data[Explained], access="user:read", problems=["user.not_found"])
    async def explain_permission(self, id: Id, query: PermissionQuery) -> dict[str, Any] | Refusal:
        """Explain a permission.

        Whether the account has it, with everything that was looked at.
        """
        user = await self._user(id)
        if user is None:
            return _no("user")
        access = self.stack.security.access
        found = access.explain(await access.aio.identity(user.key), query.permission)
        return {"allowed": found.allowed, "sentence": found.sentence, "explanation": str(found)}

    @get("/admin/audit", Data[list[Entry]], access="audit:read")
    async def list_audit(self, query: AuditQuery) -> list[dict[str, Any]]:
        """List the audit log.

        Its last entries, the newest first.
        """
        entries = await self.stack.security.audit.aio.find(limit=query.limit, action=query.action)
        keys = {key for entry in entries for key in (entry.actor, entry.subject) if key is not None}
        names = await run_in_threadpool(self.accounts.names, keys)
        return [_entry(entry, names) for entry in entries]

    async def _user(self, user_id: int) -> User | None:
        return await run_in_threadpool(self.accounts.find, user_id)

    async def _roles(self, user: User) -> dict[str, Any]:
        found = await run_in_threadpool(self.stack.security.access.roles_of, user.key)
        return {"id": user.id, "name": user.name, "roles": found}


def _no(what: str) -> Refusal:
    return Refusal(PROBLEMS.problem(f"{what}.not_found"))


def _entry(entry: AuditEntry, names: dict[str, str]) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.recorded_at,
        "actor": _named(entry.actor, names),
        "action": entry.action,
        "subject": _named(entry.subject, names),
        "outcome": entry.outcome,
        "detail": dict(entry.detail),
    }


def _named(key: str | None, names: dict[str, str]) -> str | None:
    return key if key is None else names.get(key, key)
