"""SessionStore: the sync face."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, Unpack, overload

from .._bridge import Bridge
from .._clock import Clock, SystemClock
from .._crypto import KeyRing
from .._lifecycle import Lifecycle
from .._metrics import Metrics
from .._steps import Steps, drive
from ..errors import ConfigurationError
from ..stores.interface import Store
from .models import shape_of
from .procedures import Limits, Procedures
from .session import Session
from .vault import Vault

if TYPE_CHECKING:
    from .aio import AsyncSessionStore

M = TypeVar("M")
R = TypeVar("R")


class Timeouts(TypedDict, total=False):
    """Seconds: without a request (1,800), in any case (43,200), and between two prolongations (60)."""

    idle_timeout: float
    absolute_timeout: float
    touch_interval: float


class SessionStore(Lifecycle, Generic[M]):
    """Sessions in a store: encrypted, typed, revocable.

    ``store`` is borrowed: who opened it closes it; its Scripts must be atomic over several keys. ``keys`` seals and
    names the rows: put a new key first to rotate, and keep the old one for ``absolute_timeout``. ``model`` is a
    pydantic model all of whose fields have defaults; left out, data are a ``dict`` of plain values.

    ``idle_timeout``: a session ends so many seconds after its last request, or up to ``touch_interval`` sooner: a
    request that changes nothing prolongs it only that often. ``absolute_timeout``: it ends so many seconds after login
    (before login, after its first write) in any case. Both by the store's clock. Defaults: 1,800, 60 and 43,200 s.
    """

    @overload
    def __init__(
        self: SessionStore[dict[str, Any]],
        store: Store,
        keys: KeyRing,
        *,
        namespace: str = "app",
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        **timeouts: Unpack[Timeouts],
    ) -> None: ...

    @overload
    def __init__(
        self,
        store: Store,
        keys: KeyRing,
        model: type[M],
        *,
        namespace: str = "app",
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        **timeouts: Unpack[Timeouts],
    ) -> None: ...

    def __init__(
        self,
        store: Store,
        keys: KeyRing,
        model: Any = dict,
        *,
        namespace: str = "app",
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        **timeouts: Unpack[Timeouts],
    ) -> None:
        super().__init__()
        if store.atomic != "keys":
            raise ConfigurationError("sessions need a store whose scripts are atomic over several keys")
        limits = Limits(
            idle=timeouts.get("idle_timeout", 1800.0),
            absolute=timeouts.get("absolute_timeout", 43_200.0),
            touch=timeouts.get("touch_interval", 60.0),
        )
        time = clock or SystemClock()
        self.store = store
        self.bridge = Bridge(name="postrmagic-sessions")
        self.procedures: Procedures[M] = Procedures(
            Vault(keys, namespace), shape_of(model), limits, time, metrics or Metrics(), namespace
        )
        self._port = _Port(store, time)

    @cached_property
    def aio(self) -> AsyncSessionStore[M]:
        """The same sessions for asyncio, with the same names."""
        from .aio import AsyncSessionStore

        return AsyncSessionStore(self)

    def load(self, cookie_value: str | None) -> Session[M]:
        """The session that the client's cookie names, or a new one.

        One read and no write. A value that is missing, malformed, unknown, expired, revoked or whose row does not open
        gives a new session: an id that a client chose is never adopted. Raises :class:`BackendError` when the store is
        away: a session that cannot be read is not an anonymous one.
        """
        return self._run(self.procedures.load(cookie_value))

    def save(self, session: Session[M]) -> str | None:
        """Store what changed; returns the value to set the cookie to.

        ``None``: leave the cookie as it is. ``""``: the session was logged out, drop the cookie. A session that was
        logged out elsewhere meanwhile is refused: nothing is stored, ``session.ended`` is true and the cookie stays,
        since it may be a newer one by now. What other requests changed meanwhile is kept, field by field.
        Raises :class:`BackendError`, and :class:`EncodeError` for data without a lossless encoding.
        """
        return self._run(self.procedures.save(session))

    def delete(self, session: Session[M]) -> None:
        """End the session now; a request in flight cannot bring it back."""
        self._run(self.procedures.delete(session))

    def revoke_all(self, user_id: str) -> None:
        """End every session of a user, in one operation, on every device."""
        self._run(self.procedures.revoke_all(user_id))

    def _run(self, steps: Steps[R]) -> R:
        self.ensure_open()
        return drive(steps, self._port)

    def _open(self) -> None:
        pass

    def _close(self) -> None:
        self.bridge.close()


class _Port:
    """The operations of the sync face."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self._clock = clock

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)
