"""Accounts: names, passwords, and links that set a new password. What a password must be, the package knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from postrmagic_core._clock import Clock
from postrmagic_core._crypto import KeyRing
from postrmagic_core.api.listing import ListQuery, ListRequest, RowPage
from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.errors import ValidationFailed
from postrmagic_core.events import EventManager
from postrmagic_core.security import Security
from postrmagic_core.security.tables import user_roles

from .events import AccountChanged
from .listings import ACCOUNTS
from .roles import USER
from .tables import inserted_id, users

DEFAULT_QUOTA = 512 * 1024 * 1024
RESET_LIFETIME = 1800.0
# No password may be little more than this.
_SERVICE = "PostrMagic"
_RESET = "reset"
# Made once: each request asks it.
_OF_KEY = select(users.c.id, users.c.name, users.c.password_us).where(users.c.id == bindparam("id"))


@dataclass(frozen=True, slots=True)
class User:
    """An account. ``password_us``: when its password was set; a session of an older one is none any more."""

    id: int
    name: str
    password_us: int = field(repr=False)

    @property
    def key(self) -> str:
        """The account as sessions, roles and second factors name it."""
        return str(self.id)


class Accounts:
    """The accounts in the database; ``keys`` sign the cursors of their list."""

    def __init__(
        self, database: DatabaseManager, security: Security, events: EventManager, clock: Clock, keys: KeyRing
    ) -> None:
        self._database = database
        self._security = security
        self._events = events
        self._clock = clock
        self._keys = keys

    def create(self, name: str, password: str, *, roles: Sequence[str] = (USER,)) -> int:
        """Add an account and return its id.

        Raises :class:`ValidationFailed` for a password that is too easy, :class:`UniqueViolation` for a taken name.
        """
        return self.add(name, self._new_hash(name, password, "/password"), roles=roles)

    def sign_up(self, name: str, password: str) -> User:
        """Add an account for whoever asks.

        Raises :class:`ValidationFailed` for a password that is too easy, :class:`UniqueViolation` for a taken name.
        """
        return self._must_find(self.create(name, password))

    def add(
        self, name: str, password_hash: str, *, roles: Sequence[str] = (USER,), quota_bytes: int = DEFAULT_QUOTA
    ) -> int:
        """Add an account whose password is hashed already, with its roles, and return its id."""
        now_us = self._clock.now_us()
        row = {"name": name, "password_hash": password_hash, "quota_bytes": quota_bytes, "password_us": now_us}

        def unit(tx: Unit) -> int:
            user_id = inserted_id(tx.execute(insert(users).values(used_bytes=0, created_us=now_us, **row)))
            self._note("account.created", str(user_id), tx)
            for role in roles:
                self._security.access.grant(str(user_id), role, actor=None, tx=tx)
            return user_id

        return self._database.transact(unit)

    def verify(self, name: str, password: str) -> User | None:
        """The account, if the password is right; an unknown name takes as long as a wrong password."""
        row = self._row(users.c.name == name)
        found = self._security.passwords.verify(password, None if row is None else row["password_hash"])
        if row is None or not found.ok:
            return None
        if found.rehash is not None:
            self._rehash(row, found.rehash)
        return _user(row)

    def set_password(self, user: User, password: str, *, pointer: str = "/password") -> User:
        """Give the account, as it was when its present password was verified, another password; the new state.

        The links that would set one end with it. Of two at once one is done, the other is :class:`ValidationFailed`.
        """
        hashed = self._new_hash(user.name, password, pointer)
        changed = self._database.transact(self._store_password, user, hashed, "password.changed")
        if changed is None:
            told = "the password was changed meanwhile: log in again"
            raise ValidationFailed([{"pointer": pointer, "code": "password.changed", "message": told}])
        return changed

    def reset_token(self, name: str) -> str | None:
        """A text that sets a new password, once and within half an hour; ``None``: there is no such account."""
        user = self.by_name(name)
        if user is None:
            return None
        return self._security.login_tokens.issue(user.key, purpose=_RESET, lifetime=RESET_LIFETIME)

    def reset(self, token: str, password: str) -> User | None:
        """Set a new password by a token, which is used by that; ``None`` for a token that is none or none any more."""
        asked = self._security.login_tokens.peek(token, purpose=_RESET)
        user = None if asked is None else self.find(int(asked.user_id))
        if user is None:
            return None
        hashed = self._new_hash(user.name, password, "/password")

        def unit(tx: Unit) -> User | None:
            if self._security.login_tokens.redeem(token, purpose=_RESET, tx=tx) is None:
                return None
            self._security.access_tokens.revoke_all(user.key, tx=tx)
            if self._security.has_oauth:
                self._security.oauth.revoke_all(user.key, tx=tx)
            return self._store_password(tx, user, hashed, "password.reset")

        return self._database.transact(unit)

    def note(self, what: str, user: User, tx: Unit) -> None:
        """Write what happened to the account into the audit log, and have its user told, if and when ``tx`` commits."""
        self._note(what, user.key, tx)
        self._events.emit(AccountChanged(user_id=user.id, what=what), tx=tx)

    def find(self, user_id: int) -> User | None:
        """The account with this id."""
        row = self._row(users.c.id == user_id)
        return None if row is None else _user(row)

    def by_name(self, name: str) -> User | None:
        """The account with this name."""
        row = self._row(users.c.name == name)
        return None if row is None else _user(row)

    async def of_session(self, face: Any, user_id: str, password_us: object) -> User | None:
        """The account behind a session that began when its password was that of ``password_us``.

        ``face`` is the database's async one: each request asks.
        """
        user = await self.of_key(face, user_id)
        return None if user is None or user.password_us != password_us else user

    async def of_key(self, face: Any, key: str) -> User | None:
        """The account that ``key`` stands for; ``face`` is the database's async one."""
        found = await face.rows(_OF_KEY, {"id": int(key)})
        return User(*found[0]) if found else None

    def ask(self, key: str, query: ListQuery) -> ListRequest:
        """Which page of the accounts ``query`` asks for, on behalf of the account ``key``."""
        return ACCOUNTS.ask(query, keys=self._keys, subject=key)

    def listed(self, asked: ListRequest) -> RowPage:
        """One page of the accounts, with their roles."""
        with self._database.read() as unit:
            page = asked.page(unit.execute(asked.select()).all())
            roles: dict[str, list[str]] = {str(row["id"]): [] for row in page.rows}
            held = select(user_roles.c.user_id, user_roles.c.role).where(user_roles.c.user_id.in_(roles))
            for row in unit.execute(held.order_by(user_roles.c.role)):
                roles[row.user_id].append(row.role)
        return RowPage([row | {"roles": roles[str(row["id"])]} for row in page.rows], page.next)

    def names(self, keys: set[str]) -> dict[str, str]:
        """The accounts' names, by the texts that stand for them in roles and in the audit log."""
        ids = [int(key) for key in keys if key.isascii() and key.isdigit() and len(key) <= 18]
        with self._database.read() as unit:
            rows = unit.execute(select(users.c.id, users.c.name).where(users.c.id.in_(ids)))
            return {str(row.id): row.name for row in rows}

    def _new_hash(self, name: str, password: str, pointer: str) -> str:
        passwords = self._security.passwords
        passwords.require(password, context=[name, _SERVICE], pointer=pointer)
        return passwords.hash(password)

    def _store_password(self, tx: Unit, user: User, hashed: str, what: str) -> User | None:
        now_us = max(self._clock.now_us(), user.password_us + 1)
        as_verified = (users.c.id == user.id, users.c.password_us == user.password_us)
        values = {"password_hash": hashed, "password_us": now_us}
        if tx.execute(update(users).where(*as_verified).values(values)).rowcount == 0:
            return None
        self._security.login_tokens.revoke(user.key, tx=tx)
        self.note(what, user, tx)
        return User(user.id, user.name, now_us)

    def _rehash(self, row: Any, hashed: str) -> None:
        """Replace an outdated hash, unless the password was changed meanwhile."""
        verified = (users.c.id == row["id"], users.c.password_hash == row["password_hash"])
        self._database.transact(lambda tx: tx.execute(update(users).where(*verified).values(password_hash=hashed)))

    def _note(self, what: str, key: str, tx: Unit) -> None:
        self._security.audit.record(what, actor=key, subject=key, tx=tx)

    def _must_find(self, user_id: int) -> User:
        user = self.find(user_id)
        if user is None:
            raise LookupError(f"the account {user_id} was just made and is gone")
        return user

    def _row(self, condition: Any) -> Any:
        with self._database.read() as unit:
            return unit.execute(select(users).where(condition)).mappings().first()


def _user(row: Any) -> User:
    return User(row["id"], row["name"], row["password_us"])
