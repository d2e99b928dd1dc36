"""The HTTP interface of administrators: who has which role and why they may do what, and what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from postrmagic_core._problem import Problem
from postrmagic_core.errors import ValidationFailed
from postrmagic_core.security.access import AuditEntry
from postrmagic_core.stack import Stack

from .accounts import PAGE, Accounts, User
from .answers import ACCOUNTS, AUDIT, EXPLAINED, ROLES_OF, answer
from .roles import ROLES
from .wire import identity_of, number_of, problem

_ENTRIES = 100
_NO_USER = Problem(404, "user.not_found", detail="There is no such account.")
_NO_ROLE = Problem(404, "role.not_found", detail="There is no such role.")


@dataclass(frozen=True, slots=True)
class AdminApi:
    """The routes over one Stack and its accounts."""

    stack: Stack
    accounts: Accounts

    def routes(self) -> list[Route]:
        """Every route of the interface."""
        one = "/api/v1/admin/users/{id}"
        return [
            Route("/api/v1/admin/users", self.list_users, methods=["GET"]),
            Route(one + "/roles", self.show_roles, methods=["GET"]),
            Route(one + "/roles/{role}", self.grant, methods=["PUT"]),
            Route(one + "/roles/{role}", self.revoke, methods=["DELETE"]),
            Route(one + "/explain", self.explain, methods=["GET"]),
            Route("/api/v1/admin/audit", self.list_audit, methods=["GET"]),
        ]

    async def list_users(self, request: Request) -> Response:
        """Fifty accounts in the order of their ids, with their roles; ``after`` goes on behind an id."""
        after = number_of(request.query_params.get("after", "0"))
        if after is None:
            raise _invalid("/after", "cursor.invalid", "expected the id that the last page ended with")
        found = await run_in_threadpool(self.accounts.listed, after)
        behind = found[PAGE - 1]["id"] if len(found) > PAGE else None
        return answer(ACCOUNTS, found[:PAGE], next=behind, roles=list(ROLES))

    async def show_roles(self, request: Request) -> Response:
        """One account's roles."""
        user = await self._user(request)
        return problem(_NO_USER) if user is None else await self._roles(user)

    async def grant(self, request: Request) -> Response:
        """Give a role; one that was given already stays."""
        user, role = await self._user(request), request.path_params["role"]
        if user is None or role not in ROLES:
            return problem(_NO_USER if user is None else _NO_ROLE)
        await self.stack.security.access.aio.grant(user.key, role, by=identity_of(request).id)
        return await self._roles(user)

    async def revoke(self, request: Request) -> Response:
        """Take a role away; 409 where somebody must have it and nobody else does."""
        user, role = await self._user(request), request.path_params["role"]
        if user is None or role not in ROLES:
            return problem(_NO_USER if user is None else _NO_ROLE)
        await self.stack.security.access.aio.revoke(user.key, role, by=identity_of(request).id)
        return await self._roles(user)

    async def explain(self, request: Request) -> Response:
        """Whether the account has a ``permission``, and everything that was looked at."""
        user, permission = await self._user(request), request.query_params.get("permission", "")
        if user is None:
            return problem(_NO_USER)
        if permission.removesuffix(":own") not in _permissions():
            raise _invalid("/permission", "permission.unknown", f"expected one of {', '.join(_permissions())}")
        access = self.stack.security.access
        found = access.explain(await access.aio.identity(user.key), permission)
        return answer(EXPLAINED, {"allowed": found.allowed, "sentence": found.sentence, "explanation": str(found)})

    async def list_audit(self, request: Request) -> Response:
        """The last hundred entries of the audit log, the newest first."""
        entries = await self.stack.security.audit.aio.find(limit=_ENTRIES)
        keys = {key for entry in entries for key in (entry.actor, entry.subject) if key is not None}
        names = await run_in_threadpool(self.accounts.names, keys)
        return answer(AUDIT, [_entry(entry, names) for entry in entries])

    async def _user(self, request: Request) -> User | None:
        number = number_of(request.path_params["id"])
        return None if number is None else await run_in_threadpool(self.accounts.find, number)

    async def _roles(self, user: User) -> Response:
        found = await run_in_threadpool(self.stack.security.access.roles_of, user.key)
        return answer(ROLES_OF, {"id": user.id, "name": user.name, "roles": found})


def _permissions() -> list[str]:
    return sorted(ROLES.permissions or ())


def _entry(entry: AuditEntry, names: dict[str, str]) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.at,
        "actor": _named(entry.actor, names),
        "action": entry.action,
        "subject": _named(entry.subject, names),
        "outcome": entry.outcome,
        "detail": dict(entry.detail),
    }


def _named(key: str | None, names: dict[str, str]) -> str | None:
    return key if key is None else names.get(key, key)


def _invalid(pointer: str, code: str, message: str) -> ValidationFailed:
    return ValidationFailed([{"pointer": pointer, "code": code, "message": message}])
