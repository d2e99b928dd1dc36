"""Access: who may do what, and who has which role."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..._bridge import Bridge
from ..._clock import Clock, SystemClock
from ..._lifecycle import Lifecycle
from ..._metrics import Metrics
from ..._protocols import Identity, UnitLike, Units
from ...errors import AccessDenied, LastHolder, UsageError
from ..checks import CLIENT, check_text, check_user
from ..units import in_unit
from . import rows
from .audit import AuditLog
from .deciding import Deciding
from .explaining import explain
from .interface import ROLE_BYTES, Explanation, User, shown
from .known import Known
from .present import acting, requires
from .roles import Roles

if TYPE_CHECKING:
    from .aio import AsyncAccess

F = TypeVar("F", bound=Callable[..., Any])

_log = logging.getLogger("postrmagic_core.security")


class Access(Lifecycle):
    """Roles and policies that decide, and the roles that users have, in ``database``.

    :meth:`identity` is at most ``max_age`` seconds old: within that time a revoked role is without effect in every
    process, whether it is told or not; in this process at once. While the database is away and nothing as young is
    known, it raises :class:`BackendError`. ``strict`` raises :class:`UsageError` for a permission that does not exist,
    for development; without it, it is denied and logged. ``audit`` is borrowed; left out, it makes its own.

    ``on_change`` holds functions that are called with a user's id once a change of their roles has committed: to tell
    other processes, which then call :meth:`invalidate`.
    """

    roles: Roles
    audit: AuditLog

    def __init__(
        self,
        roles: Roles,
        database: Units,
        *,
        audit: AuditLog | None = None,
        max_age: float = 1.0,
        strict: bool = False,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__()
        if max_age < 0:
            raise ValueError(f"expected max_age in seconds, 0 or more, got {max_age}")
        clock = clock or SystemClock()
        metrics = metrics or Metrics()
        self.roles = roles
        self.bridge = Bridge(name="postrmagic-access")
        self.on_change: list[Callable[[str], object]] = []
        self._own_audit = audit is None
        self.audit = audit if audit is not None else AuditLog(database, clock=clock, metrics=metrics)
        self.database = database
        self._clock = clock
        self._deciding = Deciding(roles, strict=strict)
        self._known = Known(max_age, clock.monotonic)

    @cached_property
    def aio(self) -> AsyncAccess:
        """The same for asyncio, with the same names."""
        from .aio import AsyncAccess

        return AsyncAccess(self)

    def policy(self, *permissions: str) -> Callable[[F], F]:
        """Decorate ``function(who, obj)``, which is asked about these permissions: ``"media:edit"``, ``"media:*"``.

        ``True`` allows, ``False`` denies, ``None`` leaves it to others; a deny of a role or another policy beats it. It
        is plain, pure and quick, as it runs in every decision. One that fails denies.
        """
        if not permissions or callable(permissions[0]):
            raise UsageError('name the permissions: @access.policy("media:edit")')

        def register(function: F) -> F:
            for pattern in permissions:
                self._deciding.add_policy(pattern, function)
            return function

        return register

    def owner(self, resource: str) -> Callable[[F], F]:
        """Decorate ``function(obj)``, which finds the owner's id of the ``resource``'s objects.

        Without one it is the object's ``owner_id``, or else its ``user_id``.
        """

        def register(function: F) -> F:
            self._deciding.add_owner(resource, function)
            return function

        return register

    def check(self, who: Identity | None, permission: str, obj: object = None) -> bool:
        """Whether ``who``, or nobody, may do that, with ``obj`` if one is given: a question, of which no note is taken.

        ``permission`` is ``resource:action``. Without an object a grant for own objects does not hold, unless it is
        asked about: ``"media:edit:own"``, as of an object of one's own.
        """
        return self._deciding.allowed(who, permission, obj)

    def require(self, who: Identity | None, permission: str, obj: object = None, *, hidden: bool = False) -> None:
        """:class:`AccessDenied` unless :meth:`check` agrees; it is logged, and noted in the audit log.

        ``hidden``: that the object exists must not be told either, so that the answer is 404.
        """
        if not self._deciding.allowed(who, permission, obj):
            raise self.refuse(who, permission, hidden=hidden)

    def refuse(self, who: Identity | None, permission: str, *, hidden: bool = False, why: str = "") -> AccessDenied:
        """Log a denial that was decided elsewhere, note it, and return the error to raise."""
        user_id, name = None if who is None else str(who.id), shown(str(permission))
        sentence = f"{'who is not logged in' if user_id is None else f'user {shown(user_id)}'} may not {name}"
        with suppress(Exception):  # whatever became of the note, it stays a denial
            self.audit.denied(user_id, name, why)
        _log.warning(
            "%s",
            sentence,
            extra={"event": "security.access.denied", "user_id": user_id, "permission": name, "why": why},
        )
        return AccessDenied(sentence, permission=name, hidden=hidden, nobody=who is None)

    def explain(self, who: Identity | None, permission: str, obj: object = None) -> Explanation:
        """The decision of :meth:`check` with all that was looked at; ``str()`` draws it as a tree."""
        return explain(self._deciding, who, permission, obj)

    def requires(
        self, permission: str, *, obj: str | None = None, who: str | None = None, hidden: bool = False
    ) -> Callable[[F], F]:
        """:func:`requires`, by this Access."""
        return requires(permission, obj=obj, who=who, hidden=hidden, access=self)

    def acting(self, who: Identity | None) -> AbstractContextManager[None]:
        """:func:`acting`, by this Access: what ``@requires`` in the block asks about is ``who``."""
        return acting(self, who)

    def identity(self, user_id: str) -> User:
        """The user with the roles they have: as of now, or of at most ``max_age`` seconds ago.

        Somebody unknown is a user without roles. :class:`BackendError` if it cannot be found out. Inside a write unit
        it is as that unit sees it.
        """
        user = self.known(user_id)
        if user is not None:
            return user
        asking = self._known.asking()
        with self.database.read() as tx:
            user = User(user_id, frozenset(rows.of(tx, user_id)))
        if self.database.current() is None:  # what a unit has not committed is nobody else's business
            self._known.put(user, asking)
        return user

    def known(self, user_id: str) -> User | None:
        """What :meth:`identity` would say without asking the database; ``None`` if it would have to."""
        self.ensure_open()
        check_user(user_id)
        return None if self.database.current() is not None else self._known.get(user_id)

    def grant(self, user_id: str, role: str, *, actor: str | None, tx: UnitLike | None = None) -> bool:
        """Give the user a role; ``False`` if they had it. ``actor`` did it, as the audit log tells.

        With ``tx`` it is part of that transaction. :class:`UsageError` for a role that is not declared.
        """
        self.ensure_open()
        check_user(user_id)
        if role not in self.roles:
            known = ", ".join(self.roles.names) or "none"
            raise UsageError(f"there is no role {shown(str(role))!r} to be granted; declared are {known}")
        return self._changed(user_id, partial(self._grant, user_id, role, actor), tx)

    def revoke(self, user_id: str, role: str, *, actor: str | None, tx: UnitLike | None = None) -> bool:
        """Take a role from the user, one that is declared no more too; ``False`` if they did not have it.

        :class:`LastHolder` where the role is ``keep_one`` and nobody else has it, whoever does so at the same time. A
        program that asks for itself (``client:…``) is nobody.
        """
        self.ensure_open()
        check_user(user_id)
        check_text("role", role, ROLE_BYTES)
        return self._changed(user_id, partial(self._revoke, user_id, role, actor), tx)

    def roles_of(self, user_id: str) -> list[str]:
        """The names of the user's roles as they are now, those included that are declared no more."""
        self.ensure_open()
        check_user(user_id)
        with self.database.read() as tx:
            return rows.of(tx, user_id)

    def users_with(self, role: str, limit: int = 1000) -> list[str]:
        """Users who were granted the role itself, not one that inherits it."""
        self.ensure_open()
        check_text("role", role, ROLE_BYTES)
        with self.database.read() as tx:
            return rows.holders(tx, role, limit)

    def invalidate(self, user_id: str) -> None:
        """Forget what this process knows of the user: another process has changed their roles."""
        self._known.drop(user_id)

    def _changed(self, user_id: str, change: Callable[[UnitLike], bool], tx: UnitLike | None) -> bool:
        try:
            return in_unit(self.database, tx, change)
        finally:
            if tx is None:
                self.invalidate(user_id)  # after an OutcomeUnknown too, of which no hook is told

    def _grant(self, user_id: str, role: str, actor: str | None, tx: UnitLike) -> bool:
        done = rows.insert(tx, user_id, role, self._clock.now_us())
        if done:
            self._note("role.granted", user_id, role, actor, tx)
        return done

    def _revoke(self, user_id: str, role: str, actor: str | None, tx: UnitLike) -> bool:
        known = self.roles.get(role)
        if known is not None and known.keep_one and _is_last(user_id, rows.hold(tx, role)):
            raise LastHolder(f"nobody else has the role {role}: give it to another user first")
        done = rows.delete(tx, user_id, role)
        if done:
            self._note("role.revoked", user_id, role, actor, tx)
        return done

    def _note(self, action: str, user_id: str, role: str, actor: str | None, tx: UnitLike) -> None:
        self.audit.record(action, actor=actor, subject=user_id, detail={"role": role}, tx=tx)
        # Before the log and the hooks, which may fail: this process knows better from here on.
        tx.after_commit(partial(self.invalidate, user_id))
        fields = {"event": f"security.{action}", "user_id": user_id, "role": role, "actor": actor}
        tx.after_commit(partial(_log.info, "%s: %s to or from user %s", action, role, user_id, extra=fields))
        for call in self.on_change:
            tx.after_commit(partial(_told, call, user_id))

    def _open(self) -> None:
        if self._own_audit:
            self.audit.open()

    def _close(self) -> None:
        if self._own_audit:
            self.audit.close()
        self.bridge.close()


def _is_last(user_id: str, holders: Collection[str]) -> bool:
    return user_id in holders and all(each == user_id or each.startswith(CLIENT) for each in holders)


def _told(call: Callable[[str], object], user_id: str) -> None:
    call(user_id)
