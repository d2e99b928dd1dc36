"""SessionStore: the sync face."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, Unpack, overload

from .._bridge import Bridge
from .._clock import Clock, SystemClock
from .._crypto import KeyRing
from .._lifecycle import Lifecycle
from .._metrics import Metrics
from .._steps import Steps, drive
from ..errors import Unsupported
from ..stores.checks import check_atomic
from ..stores.interface import Store, SupportsScan
from .binding import Binding, Client
from .devices import Device
from .incidents import Incident, Watch
from .loading import Loading
from .models import Format, Migrate
from .policy import Limits, check_options
from .roster import Roster
from .rows import Rows
from .saving import Saving
from .session import Session
from .vault import Vault

if TYPE_CHECKING:
    from .aio import AsyncSessionStore

M = TypeVar("M")
R = TypeVar("R")


class Options(TypedDict, total=False):
    """How sessions are kept; see :class:`SessionStore`."""

    namespace: str
    idle_timeout: float
    absolute_timeout: float
    touch_interval: float
    renewal_timeout: float
    rotation_grace: float
    max_sessions: int
    binding: Binding
    version: int
    migrate: Migrate
    on_incident: Callable[[Incident], None]
    clock: Clock
    metrics: Metrics


class SessionStore(Lifecycle, Generic[M]):
    """Sessions in a store: encrypted, typed, revocable.

    ``store`` is borrowed: who opened it closes it; its Scripts must be atomic over several keys. ``keys`` seals and
    names the rows: put a new key first to rotate, and keep the old one for ``absolute_timeout``. ``model`` is a
    pydantic model all of whose fields have defaults; left out, data are a ``dict`` of plain values. ``version`` (1) is
    the model's; ``migrate(version, data)`` makes the plain values of an earlier one into this one's.

    Seconds, by the store's clock: ``idle_timeout`` (1,800): a session ends so long after its last request, or up to
    ``touch_interval`` (60) sooner: a request that changes nothing prolongs it only that often. ``absolute_timeout``
    (43,200): it ends so long after login (before login, after its first write) in any case. ``renewal_timeout``
    (3,600): after so long its id is replaced; ``rotation_grace`` (10): the old id is good for so long after the
    new one was first used, then whoever uses it ends the session.

    ``max_sessions`` (100) of one user live at once: a login beyond ends the one that was not used for the longest time.
    ``binding`` says what happens when a session is used from another place (:class:`Binding`); ``on_incident``, or
    ``watch.hear`` set later, is called with each :class:`Incident`, and must neither wait nor fail.
    """

    @overload
    def __init__(
        self: SessionStore[dict[str, Any]], store: Store, keys: KeyRing, **options: Unpack[Options]
    ) -> None: ...

    @overload
    def __init__(self, store: Store, keys: KeyRing, model: type[M], **options: Unpack[Options]) -> None: ...

    def __init__(self, store: Store, keys: KeyRing, model: Any = dict, **options: Unpack[Options]) -> None:
        super().__init__()
        check_options("SessionStore", options, Options.__annotations__)
        check_atomic(store, "sessions")
        namespace, clock = options.get("namespace", "app"), options.get("clock") or SystemClock()
        metrics = options.get("metrics") or Metrics()
        limits = Limits(
            idle=options.get("idle_timeout", 1800.0),
            absolute=options.get("absolute_timeout", 43_200.0),
            touch=options.get("touch_interval", 60.0),
            renewal=options.get("renewal_timeout", 3600.0),
            grace=options.get("rotation_grace", 10.0),
            sessions=options.get("max_sessions", 100),
        )
        self.store = store
        self.bridge = Bridge(name="postrmagic-sessions")
        self.watch = Watch(metrics, namespace, options.get("on_incident"))
        rows = Rows(Vault(keys, namespace), limits, self.watch)
        form: Format[M] = Format(model, options.get("version", 1), options.get("migrate"))
        self.roster = Roster(rows)
        self.loading = Loading(rows, form, options.get("binding", Binding()))
        self.saving: Saving[M] = Saving(rows, self.roster, clock, metrics, namespace)
        self._port = _Port(store, clock)

    @cached_property
    def aio(self) -> AsyncSessionStore[M]:
        """The same sessions for asyncio, with the same names."""
        from .aio import AsyncSessionStore

        return AsyncSessionStore(self)

    def load(self, cookie_value: str | None, client: Client | None = None) -> Session[M]:
        """The session that the client's cookie names, or a new one.

        One read and no write. A value that is missing, malformed, unknown, expired, revoked or whose row does not open
        gives a new session: an id that a client chose is never adopted. ``client`` is who sent it: a user's session is
        bound to the kind of its agent and to its network. Raises :class:`BackendError` when the store is away: a
        session that cannot be read is not an anonymous one.
        """
        return self._run(self.loading.load(cookie_value, client))

    def save(self, session: Session[M]) -> str | None:
        """Store what changed; returns the value to set the cookie to.

        ``None``: leave the cookie as it is. ``""``: the session was logged out, drop the cookie. A session that was
        ended or replaced meanwhile is refused: nothing is stored, ``session.ended`` is true and the cookie stays, since
        it may be a newer one by now. What other requests changed meanwhile is kept, field by field.
        Raises :class:`BackendError`, and :class:`EncodeError` for data without a lossless encoding.
        """
        return self._run(self.saving.save(session))

    def delete(self, session: Session[M]) -> None:
        """End the session now; a request in flight cannot bring it back."""
        self._run(self.saving.delete(session))

    def devices(self, user_id: str, current: Session[M] | None = None) -> list[Device]:
        """The user's live sessions, the last used first; ``current`` is marked. In two reads."""
        return self._run(self.roster.devices(user_id, current))

    def revoke(self, user_id: str, device_id: str) -> bool:
        """End one of the user's sessions by its :attr:`Device.id`; whether there was one."""
        return self._run(self.roster.revoke(user_id, device_id))

    def revoke_others(self, session: Session[M]) -> None:
        """End every session of this one's user but this one, on every device, whatever is in flight.

        How many is not known: as for :meth:`revoke_all`.
        Raises :class:`UsageError` for a session that is not stored, of nobody, or has ended meanwhile.
        """
        self._run(self.roster.revoke_others(session))

    def revoke_all(self, user_id: str) -> None:
        """End every session of a user, in one operation, on every device.

        How many is not known: no row is read, each is refused when it is next asked for. :meth:`devices` tells before.
        """
        self._run(self.roster.revoke_all(user_id))

    def revoke_everyone(self) -> int:
        """End every session of every user and visitor of the namespace; how many there were.

        Not in one step: whoever logs in meanwhile may have to do so again. Raises :class:`Unsupported` where the store
        cannot find keys by prefix.
        """
        if not isinstance(self.store, SupportsScan):
            raise Unsupported(
                f"{type(self.store).__name__} cannot find keys by prefix: end each user's by revoke_all()"
            )
        return self._run(self.roster.revoke_everyone())

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
