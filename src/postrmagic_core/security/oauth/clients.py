"""The programs that may ask for access: registered by whoever runs the application, never by themselves."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from ..._clock import from_us
from ..._protocols import UnitLike
from ..units import in_unit
from . import policy, redirects, rows, texts
from .interface import ClientInfo, IssuedClient

if TYPE_CHECKING:
    from .interface import Scopes
    from .means import Means

_NAME = 64


class Clients:
    """The clients of an authorization server, on ``pm_oauth_clients``, which holds the SHA-256 of their secrets alone.

    ``actor`` is who did it, as the audit log tells; with ``tx``, it is done if that commits.
    """

    def __init__(self, means: Means) -> None:
        self._means = means

    def add(
        self,
        name: str,
        *,
        redirect_uris: Iterable[str] = (),
        scopes: Iterable[str],
        grant_types: Iterable[str],
        public: bool = False,
        introspects: bool = False,
        actor: str | None = None,
        tx: UnitLike | None = None,
    ) -> IssuedClient:
        """A new client, called ``name`` on the consent page.

        ``grant_types``: ``authorization_code``, for which it needs a redirect_uri, with it ``refresh_token``, and
        ``client_credentials``. ``public``: an app on users' devices, which keeps no secret and so can neither ask for
        itself nor introspect. A resource server has ``introspects`` alone. :class:`ValueError` for what cannot be.
        """
        kinds = _checked_kinds(grant_types, public=public, introspects=introspects)
        uris = redirects.check_registered(redirect_uris)
        if bool(uris) != (policy.AUTHORIZATION_CODE in kinds):
            raise ValueError("a client of authorization_code needs a redirect_uri, and no other has one")
        allowed = _checked_scopes(scopes, self._means.scopes)
        if bool(allowed) != bool(kinds):
            raise ValueError("a client with a grant type needs a scope, and no other has one")
        now_us = self._means.clock.now_us()
        flags = (public, introspects)
        info = ClientInfo(
            texts.new_client_id(secrets.choice), _checked_name(name), uris, allowed, kinds, *flags, from_us(now_us)
        )
        secret = None if public else texts.new(texts.SECRET, secrets.choice)

        def put(unit: UnitLike) -> None:
            rows.put_client(unit, info, None if secret is None else texts.sha256(secret), now_us)
            detail = {"name": info.name, "scopes": info.scopes, "grant_types": info.grant_types, "public": public}
            more = {"redirect_uris": info.redirect_uris[:3], "introspects": introspects}
            self._means.record(unit, "client_added", actor=actor, subject=info.id, detail=detail | more)

        in_unit(self._means.database, tx, put)
        return IssuedClient(info, secret)

    def find(self, client_id: str) -> ClientInfo | None:
        """The client of this id, disabled ones included."""
        if not texts.is_client_id(client_id):
            return None
        with self._means.database.read() as unit:
            row = rows.client(unit, client_id)
        return None if row is None else rows.client_info(row)

    def all(self) -> list[ClientInfo]:
        """All clients, the newest first, disabled ones included."""
        with self._means.database.read() as unit:
            return rows.every_client(unit)

    def renew_secret(
        self, client_id: str, *, actor: str | None = None, tx: UnitLike | None = None
    ) -> IssuedClient | None:
        """Another secret; the one before is refused from then on. ``None``: no such client is there and has one.

        What the client has got so far stays good.
        """
        info = self.find(client_id)
        if info is None or info.public or info.disabled_at is not None:
            return None
        secret = texts.new(texts.SECRET, secrets.choice)

        def renew(unit: UnitLike) -> bool:
            done = rows.change_client(unit, client_id, secret_digest=texts.sha256(secret))
            if done:
                self._means.record(unit, "secret_renewed", actor=actor, subject=client_id, detail={"name": info.name})
            return done

        return IssuedClient(info, secret) if in_unit(self._means.database, tx, renew) else None

    def disable(self, client_id: str, *, actor: str | None = None, tx: UnitLike | None = None) -> bool:
        """End a client for good: it gets nothing more, and all that it got is refused from then on.

        ``False`` if there is none such that was not disabled.
        """
        if not texts.is_client_id(client_id):
            return False
        return in_unit(self._means.database, tx, partial(self._disable, client_id, actor))

    def _disable(self, client_id: str, actor: str | None, unit: UnitLike) -> bool:
        done = rows.change_client(unit, client_id, disabled_us=self._means.clock.now_us())
        if done:
            self._means.record(unit, "client_disabled", actor=actor, subject=client_id, detail={})
        return done


def _checked_kinds(given: Iterable[str], *, public: bool, introspects: bool) -> tuple[str, ...]:
    if isinstance(given, str):
        raise ValueError("expected a list of grant types, got a text")
    wanted = set(given)
    if not wanted <= set(policy.GRANT_TYPES):
        raise ValueError(f"expected as grant types some of {', '.join(policy.GRANT_TYPES)}")
    if policy.REFRESH_TOKEN in wanted and policy.AUTHORIZATION_CODE not in wanted:
        raise ValueError("refresh_token goes with authorization_code alone")
    if public and (introspects or policy.CLIENT_CREDENTIALS in wanted):
        raise ValueError("a public client, which has no secret, can neither use client_credentials nor introspect")
    if not wanted and not introspects:
        raise ValueError("expected a grant type, or introspects=True")
    return tuple(kind for kind in policy.GRANT_TYPES if kind in wanted)


def _checked_scopes(given: Iterable[str], known: Scopes) -> tuple[str, ...]:
    if isinstance(given, str):
        raise ValueError("expected a list of scopes, got a text")
    wanted = set(given)
    if not wanted <= set(known.names):
        raise ValueError(f"expected as scopes some of {', '.join(known.names)}")
    return tuple(name for name in known.names if name in wanted)


def _checked_name(name: object) -> str:
    # It stands on the consent page, where a name of two lines or written backwards is somebody else's.
    if not (isinstance(name, str) and 0 < len(name) <= _NAME and name.isprintable() and re.search(r"\w", name)):
        raise ValueError(f"expected as a client's name 1 to {_NAME} printable characters, among them letters or digits")
    return name
