"""The rows of the authorization server.

Each is looked up, changed and deleted by its primary key: what is changed by a range locks what others put there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, Table, and_, bindparam, delete, insert, select, update

from ..._clock import from_us
from ..._protocols import UnitLike
from ..tables import oauth_clients, oauth_codes, oauth_grants, oauth_refresh_tokens
from .interface import ClientInfo, GrantInfo

clients, grants, codes, tokens = oauth_clients.c, oauth_grants.c, oauth_codes.c, oauth_refresh_tokens.c

_KEY: BindParameter[Any] = bindparam("key")

# With the client's, as nothing that a disabled one got is good. Made once: each request to the API asks it.
_GRANT: Final = (
    select(oauth_grants, clients.name, clients.disabled_us)
    .join(oauth_clients, clients.id == grants.client_id)
    .where(grants.id == _KEY)
)
_REFRESH: Final = (
    select(oauth_refresh_tokens, grants.client_id, grants.user_id, grants.scopes)
    .add_columns(grants.expires_us.label("ends_us"), grants.revoked_us)
    .join(oauth_grants, grants.id == tokens.grant_id)
    .where(tokens.digest == _KEY)
)


class Kept(NamedTuple):
    """What is kept of a refresh for who asks again: the name of the request, hashed, and the answer, sealed."""

    request_digest: bytes
    reply: bytes
    reply_until_us: int


def packed(texts: Iterable[str]) -> bytes:
    """A list of texts as a column holds it."""
    return json.dumps(list(texts), separators=(",", ":")).encode()


def unpacked(stored: bytes) -> tuple[str, ...]:
    """The texts; none where the column holds something else: then nothing is allowed."""
    try:
        found = json.loads(bytes(stored))
    except ValueError:
        return ()
    return tuple(found) if isinstance(found, list) and all(isinstance(each, str) for each in found) else ()


# Clients.


def put_client(tx: UnitLike, info: ClientInfo, digest: bytes | None, now_us: int) -> None:
    """A new one; ``digest`` is its secret's."""
    lists = {name: packed(getattr(info, name)) for name in ("redirect_uris", "scopes", "grant_types")}
    row = {"id": info.id, "name": info.name, "secret_digest": digest, "introspects": int(info.introspects)}
    tx.execute(insert(oauth_clients).values(**row, **lists, created_us=now_us))


def client(tx: Any, client_id: str) -> Any:
    """The row of a client."""
    return tx.execute(select(oauth_clients).where(clients.id == client_id)).first()


def client_info(row: Any) -> ClientInfo:
    """What a row tells of a client."""
    return ClientInfo(
        row.id,
        row.name,
        redirect_uris=unpacked(row.redirect_uris),
        scopes=unpacked(row.scopes),
        grant_types=unpacked(row.grant_types),
        public=row.secret_digest is None,
        introspects=bool(row.introspects),
        created_at=from_us(row.created_us),
        disabled_at=None if row.disabled_us is None else from_us(row.disabled_us),
    )


def every_client(tx: Any) -> list[ClientInfo]:
    """All of them, the newest first."""
    return [client_info(row) for row in tx.execute(select(oauth_clients).order_by(clients.created_us.desc()))]


def change_client(tx: UnitLike, client_id: str, **values: object) -> bool:
    """Change one that is not disabled; whether there was one."""
    one = update(oauth_clients).where(clients.id == client_id, clients.disabled_us.is_(None))
    return tx.execute(one.values(**values)).rowcount == 1


# Grants.


def put_grant(tx: UnitLike, values: Mapping[str, object], scopes: Iterable[str]) -> None:
    """A new one."""
    tx.execute(insert(oauth_grants).values(**values, scopes=packed(scopes)))


def grant(tx: Any, grant_id: str) -> Any:
    """The row of a grant, with its client's ``name`` and ``disabled_us``."""
    return tx.execute(_GRANT, {"key": grant_id}).first()


def is_good(row: Any, now_us: int) -> bool:
    """Whether what follows from the grant is good."""
    return row.revoked_us is None and row.disabled_us is None and row.expires_us > now_us


def touch_grant(tx: UnitLike, grant_id: str, now_us: int) -> bool:
    """Note that a token was got by it; whether it is good."""
    one = update(oauth_grants).where(grants.id == grant_id, grants.revoked_us.is_(None), grants.expires_us > now_us)
    return tx.execute(one.values(used_us=now_us)).rowcount == 1


def end_grants(tx: UnitLike, ids: Iterable[str], reason: str, now_us: int) -> int:
    """Revoke those that are good, in the order of their keys; how many there were."""
    one = update(oauth_grants).where(grants.id == _KEY, grants.revoked_us.is_(None), grants.expires_us > now_us)
    each = [{"key": name} for name in sorted(ids)]
    return tx.execute(one.values(revoked_us=now_us, reason=reason), each).rowcount if each else 0


def good_grants(tx: Any, user_id: str, now_us: int) -> list[GrantInfo]:
    """The user's, the newest first."""
    mine = and_(grants.user_id == user_id, grants.revoked_us.is_(None), grants.expires_us > now_us)
    found = (
        select(oauth_grants, clients.name)
        .join(oauth_clients, clients.id == grants.client_id)
        .where(mine, clients.disabled_us.is_(None))
        .order_by(grants.created_us.desc(), grants.id.desc())
    )
    return [_grant_info(row) for row in tx.execute(found)]


def _grant_info(row: Any) -> GrantInfo:
    used = None if row.used_us is None else from_us(row.used_us)
    times = (from_us(row.created_us), from_us(row.expires_us), used)
    return GrantInfo(row.id, row.client_id, row.name, unpacked(row.scopes), *times)


# Codes.


def put_code(tx: UnitLike, values: Mapping[str, object]) -> None:
    """A new one."""
    tx.execute(insert(oauth_codes).values(**values))


def code(tx: Any, digest: bytes) -> Any:
    """The row of a code."""
    return tx.execute(select(oauth_codes).where(codes.digest == digest)).first()


def waiting_codes(tx: Any, user_id: str, now_us: int) -> list[bytes]:
    """Digests of the user's codes that are good."""
    good = [codes.expires_us > now_us, codes.user_id == user_id, codes.redeemed_us.is_(None)]
    return list(tx.scalars(select(codes.digest).where(*good)))


def redeem(tx: UnitLike, digest: bytes, grant_id: str | None, now_us: int) -> bool:
    """Use a code up, for a grant or for nothing; whether it was good until now. Of any number at once, one does."""
    good = update(oauth_codes).where(codes.digest == digest, codes.redeemed_us.is_(None), codes.expires_us > now_us)
    return tx.execute(good.values(redeemed_us=now_us, grant_id=grant_id)).rowcount == 1


# Refresh tokens.


def put_refresh(tx: UnitLike, digest: bytes, grant_id: str, expires_us: int) -> None:
    """A new one."""
    tx.execute(insert(oauth_refresh_tokens).values(digest=digest, grant_id=grant_id, expires_us=expires_us))


def refresh(tx: Any, digest: bytes) -> Any:
    """The row of a refresh token, with its grant's client, user and scopes, ``ends_us`` and ``revoked_us``."""
    return tx.execute(_REFRESH, {"key": digest}).first()


def may_refresh(row: Any, now_us: int) -> bool:
    """Whether a refresh token is good, as far as its row tells: :func:`use_refresh` decides."""
    return row.used_us is None and row.revoked_us is None and min(row.expires_us, row.ends_us) > now_us


def use_refresh(tx: UnitLike, digest: bytes, now_us: int, kept: Kept | None) -> bool:
    """Use a refresh token up; whether it was good until now. Of any number at once, one does."""
    good = update(oauth_refresh_tokens).where(tokens.digest == digest, tokens.used_us.is_(None))
    values = {"used_us": now_us} | ({} if kept is None else kept._asdict())
    return tx.execute(good.where(tokens.expires_us > now_us).values(**values)).rowcount == 1


# What has ended.


def stale_replies(tx: Any, now_us: int, limit: int) -> list[bytes]:
    """Refresh tokens with an answer that is kept no longer."""
    return list(tx.scalars(select(tokens.digest).where(tokens.reply_until_us <= now_us).limit(limit)))


def drop_replies(tx: UnitLike, keys: Sequence[bytes]) -> int:
    """Forget their answers."""
    one = update(oauth_refresh_tokens).where(tokens.digest == _KEY).values(reply=None, reply_until_us=None)
    return tx.execute(one, [{"key": digest} for digest in keys]).rowcount


def ended_grants(tx: Any, before_us: int, own_before_us: int, limit: int) -> list[str]:
    """Grants that ended before an instant, at most so many; where the client asked for itself, before another."""
    over = [grants.expires_us <= before_us, grants.revoked_us <= before_us]
    over.append(and_(grants.expires_us <= own_before_us, grants.user_id.is_(None)))
    for each in over:
        if found := list(tx.scalars(select(grants.id).where(each).limit(limit))):
            return found
    return []


def left_behind(tx: Any, table: Table, before_us: int, limit: int) -> list[bytes]:
    """Codes or refresh tokens that ended before an instant and whose grant is deleted, or never was; so many at most.

    While it is there, one that comes again ends it, however long ago it was used.
    """
    alone = select(table.c.digest).outerjoin(oauth_grants, grants.id == table.c.grant_id)
    return list(tx.scalars(alone.where(table.c.expires_us <= before_us, grants.id.is_(None)).limit(limit)))


def delete_each(tx: UnitLike, table: Table, keys: Sequence[object]) -> int:
    """One by one by their key: to delete a range would lock rows that are being used or issued."""
    key = table.primary_key.columns[0]
    return tx.execute(delete(table).where(key == _KEY), [{"key": each} for each in keys]).rowcount
