"""AsyncAuthorizationServer and AsyncClients: the same names for asyncio, awaitable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..units import lifted
from .interface import AuthorizationRequest, ClientInfo, Endpoints, GrantInfo, IssuedClient, VerifiedAccess

if TYPE_CHECKING:
    from ..._protocols import AwaitableUnitLike
    from .manager import AuthorizationServer

R = TypeVar("R")


class AsyncAuthorizationServer:
    """The async face of :class:`AuthorizationServer`; ``tx`` is what ``async with db.aio.write()`` gave."""

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server

    @cached_property
    def clients(self) -> AsyncClients:
        """See :attr:`AuthorizationServer.clients`."""
        return AsyncClients(self._server)

    async def ask(self, query: str) -> AuthorizationRequest:
        """See :meth:`AuthorizationServer.ask`."""
        return await self._server.bridge.lift(lambda: self._server.ask(query))

    async def approve(
        self,
        request: AuthorizationRequest,
        user_id: str,
        *,
        scopes: Iterable[str] | None = None,
        tx: AwaitableUnitLike | None = None,
    ) -> str:
        """See :meth:`AuthorizationServer.approve`."""
        approve = partial(self._server.approve, request, user_id, scopes=scopes)
        return await _run(self._server, tx, lambda unit: approve(tx=unit))

    async def deny(self, request: AuthorizationRequest, user_id: str) -> str:
        """See :meth:`AuthorizationServer.deny`."""
        return await _run(self._server, None, lambda _: self._server.deny(request, user_id))

    async def token(
        self, form: Mapping[str, str], *, authorization: str | None = None, request_id: str | None = None
    ) -> dict[str, object]:
        """See :meth:`AuthorizationServer.token`."""
        token = partial(self._server.token, form, authorization=authorization, request_id=request_id)
        return await _run(self._server, None, lambda _: token())

    async def revoke(self, form: Mapping[str, str], *, authorization: str | None = None) -> None:
        """See :meth:`AuthorizationServer.revoke`."""
        await _run(self._server, None, lambda _: self._server.revoke(form, authorization=authorization))

    async def introspect(self, form: Mapping[str, str], *, authorization: str | None = None) -> dict[str, object]:
        """See :meth:`AuthorizationServer.introspect`."""
        return await self._server.bridge.lift(lambda: self._server.introspect(form, authorization=authorization))

    async def metadata(self, endpoints: Endpoints) -> dict[str, object]:
        """See :meth:`AuthorizationServer.metadata`."""
        return self._server.metadata(endpoints)

    async def jwks(self) -> dict[str, object]:
        """See :meth:`AuthorizationServer.jwks`."""
        return self._server.jwks()

    async def verify(self, token: object) -> VerifiedAccess | None:
        """See :meth:`AuthorizationServer.verify`."""
        return await self._server.bridge.lift(lambda: self._server.verify(token))

    async def grants_of(self, user_id: str) -> list[GrantInfo]:
        """See :meth:`AuthorizationServer.grants_of`."""
        return await self._server.bridge.lift(lambda: self._server.grants_of(user_id))

    async def revoke_grant(
        self, user_id: str, grant_id: str, *, actor: str | None = None, tx: AwaitableUnitLike | None = None
    ) -> bool:
        """See :meth:`AuthorizationServer.revoke_grant`."""
        revoke = partial(self._server.revoke_grant, user_id, grant_id, actor=actor)
        return await _run(self._server, tx, lambda unit: revoke(tx=unit))

    async def revoke_all(self, user_id: str, *, actor: str | None = None, tx: AwaitableUnitLike | None = None) -> int:
        """See :meth:`AuthorizationServer.revoke_all`."""
        return await _run(self._server, tx, lambda unit: self._server.revoke_all(user_id, actor=actor, tx=unit))

    async def sweep(self) -> int:
        """See :meth:`AuthorizationServer.sweep`."""
        return await self._server.bridge.lift(self._server.sweep)


class AsyncClients:
    """The async face of :class:`Clients`."""

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server

    async def add(
        self,
        name: str,
        *,
        redirect_uris: Iterable[str] = (),
        scopes: Iterable[str],
        grant_types: Iterable[str],
        public: bool = False,
        introspects: bool = False,
        actor: str | None = None,
        tx: AwaitableUnitLike | None = None,
    ) -> IssuedClient:
        """See :meth:`Clients.add`."""
        how: dict[str, Any] = {"redirect_uris": redirect_uris, "scopes": scopes, "grant_types": grant_types}
        add = partial(self._server.clients.add, name, public=public, introspects=introspects, actor=actor, **how)
        return await _run(self._server, tx, lambda unit: add(tx=unit))

    async def find(self, client_id: str) -> ClientInfo | None:
        """See :meth:`Clients.find`."""
        return await self._server.bridge.lift(lambda: self._server.clients.find(client_id))

    async def all(self) -> list[ClientInfo]:
        """See :meth:`Clients.all`."""
        return await self._server.bridge.lift(self._server.clients.all)

    async def renew_secret(
        self, client_id: str, *, actor: str | None = None, tx: AwaitableUnitLike | None = None
    ) -> IssuedClient | None:
        """See :meth:`Clients.renew_secret`."""
        renew = partial(self._server.clients.renew_secret, client_id, actor=actor)
        return await _run(self._server, tx, lambda unit: renew(tx=unit))

    async def disable(self, client_id: str, *, actor: str | None = None, tx: AwaitableUnitLike | None = None) -> bool:
        """See :meth:`Clients.disable`."""
        return await _run(self._server, tx, lambda unit: self._server.clients.disable(client_id, actor=actor, tx=unit))


async def _run(server: AuthorizationServer, tx: AwaitableUnitLike | None, call: Callable[[Any], R]) -> R:
    return await lifted(server.bridge, server.database, tx, call)
