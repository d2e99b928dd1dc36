"""Who may come in: accounts with argon2id passwords."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property

from pwdlib import PasswordHash
from sqlalchemy import insert, select

from postrmagic_core._clock import SystemClock
from postrmagic_core.database import DatabaseManager

from .tables import inserted_id, users

DEFAULT_QUOTA = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class User:
    """An account."""

    id: int
    name: str
    is_admin: bool


class Accounts:
    """Accounts in the database. At most two passwords are hashed at once: each takes tens of megabytes."""

    def __init__(self, database: DatabaseManager) -> None:
        self._database = database
        self._hashing = threading.BoundedSemaphore(2)

    @cached_property
    def _passwords(self) -> PasswordHash:
        return PasswordHash.recommended()

    @cached_property
    def _nobody(self) -> str:
        return self._passwords.hash("nobody has this password")

    def create(self, name: str, password: str, *, is_admin: bool = False, quota_bytes: int = DEFAULT_QUOTA) -> int:
        """Add an account and return its id; a taken name raises ``UniqueViolation``."""
        with self._hashing:
            hashed = self._passwords.hash(password)
        row = {"name": name, "password_hash": hashed, "is_admin": is_admin, "quota_bytes": quota_bytes}
        with self._database.write() as tx:
            added = tx.execute(insert(users).values(used_bytes=0, created_us=SystemClock().now_us(), **row))
            return inserted_id(added)

    def login(self, name: str, password: str) -> User | None:
        """The account, if the password is right; an unknown name takes as long as a wrong password."""
        with self._database.read() as unit:
            row = unit.execute(select(users).where(users.c.name == name)).mappings().first()
        with self._hashing:
            right = self._passwords.verify(password, row["password_hash"] if row else self._nobody)
        return User(row["id"], row["name"], bool(row["is_admin"])) if row is not None and right else None

    def find(self, user_id: int) -> User | None:
        """The account with this id."""
        with self._database.read() as unit:
            row = unit.execute(select(users).where(users.c.id == user_id)).mappings().first()
        return None if row is None else User(row["id"], row["name"], bool(row["is_admin"]))

    def by_name(self, name: str) -> User | None:
        """The account with this name."""
        with self._database.read() as unit:
            user_id = unit.scalar(select(users.c.id).where(users.c.name == name))
        return None if user_id is None else self.find(user_id)
