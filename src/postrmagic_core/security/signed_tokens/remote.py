"""RemoteKeys: the public keys of another authorization server, fetched from it and kept."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from ..._bridge import Bridge
from ..._clock import Clock, SystemClock
from ..._errand import Errand
from ..._lifecycle import Lifecycle, after_fork
from ..._metrics import Metrics
from ...errors import BackendError, BackendTimeout, BackendUnavailable, ConfigurationError
from ..checks import unique_names
from ..exchange import BUDGET, MAX_BYTES, Endpoint
from .keys import SigningKey

if TYPE_CHECKING:
    from .aio import AsyncRemoteKeys

_log = logging.getLogger("postrmagic_core.security")

_MOST = 100  # keys of one server
_AGAIN = 60.0  # seconds between two fetches for whatever reason, once there are keys
_AGAIN_WITHOUT = 5.0  # as long as there are none
_WAIT = BUDGET + 1.0  # for a fetch that another thread is at
_SECRET = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1


class _Known(NamedTuple):
    """Keys by name, and when they were asked for, on the monotonic clock."""

    keys: Mapping[str, SigningKey]
    asked: float


class RemoteKeys(Lifecycle):
    """The keys that another server publishes at ``jwks_uri`` (RFC 7517): a :class:`KeySource`.

    They are kept. In seconds: after ``max_age`` they are fetched anew by a thread that nobody waits for; while the
    server is down or slow the old ones hold, up to ``max_stale`` after they were fetched. A token that names an unknown
    key has them fetched at once, but never sooner than a minute after the last time, whoever makes up however many
    names: publish a key a minute before it signs. All threads wait for one fetch, which takes two seconds at most.

    A set is taken as a whole or not at all: one that is larger than 64 KiB, no JSON, holds a private key, a secret or
    two keys of one name is refused, and the old one kept. Keys of other kinds in it are left out (RFC 7517, section 5).
    ``jwks_uri`` is ``https://``, or ``http://`` of this machine; no redirect is followed. ``fetch`` takes the URL and
    returns the body, in place of the client here.

    Counts ``remote_keys_fetched_total`` by ``outcome``.
    """

    def __init__(
        self,
        jwks_uri: str,
        *,
        max_age: float = 600.0,
        max_stale: float = 86_400.0,
        fetch: Callable[[str], bytes] | None = None,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__()
        if not 0 < max_age <= max_stale < float("inf"):
            raise ValueError(f"expected 0 < max_age <= max_stale seconds, got {max_age!r} and {max_stale!r}")
        self._endpoint = Endpoint(jwks_uri, "jwks_uri")
        self._max_age = max_age
        self._max_stale = max_stale
        self._fetch = fetch or self._get
        self._clock = clock or SystemClock()
        self._metrics = metrics or Metrics()
        self._known: _Known | None = None
        self._tried: float | None = None
        self._failure: BackendError | None = None
        self._errand = Errand("postrmagic-remote-keys", self._renew, _log)
        self.bridge = Bridge(threads=4, name="postrmagic-remote-keys-wait")
        self._flight: Future[None] | None = None
        self._changing = threading.Lock()
        after_fork(self._forget)

    @cached_property
    def aio(self) -> AsyncRemoteKeys:
        """The same keys for asyncio, with the same names."""
        from .aio import AsyncRemoteKeys

        return AsyncRemoteKeys(self)

    def find(self, kid: str) -> SigningKey | None:
        """The key of this name; ``None``: the server has none such.

        :class:`BackendError` if that cannot be said: there are no keys that are young enough, or the name is not among
        them and the server could not be asked.
        """
        if not self.waits(kid):
            return self._answer(kid)
        self._fetched()
        return self._answer(kid)

    def waits(self, kid: str) -> bool:
        """Whether :meth:`find` would ask the server; what has grown old is renewed meanwhile, and waits for nobody."""
        self.ensure_open()
        now = self._clock.monotonic()
        known = self._usable(now)
        if known is not None and now - known.asked >= self._max_age and self._flight is None and self._due(now):
            self._errand.ask()
        return (known is None or kid not in known.keys) and (self._flight is not None or self._due(now))

    def _answer(self, kid: str) -> SigningKey | None:
        known = self._usable(self._clock.monotonic())
        key = None if known is None else known.keys.get(kid)
        if key is not None:
            return key
        failure = self._failure
        if failure is not None:
            raise type(failure)(str(failure))  # a new one: many threads raise it, each with its own traceback
        if known is None:
            raise BackendUnavailable("there are no keys of jwks_uri that are young enough")
        return None

    def _usable(self, now: float) -> _Known | None:
        known = self._known
        return known if known is not None and now - known.asked < self._max_stale else None

    def _due(self, now: float) -> bool:
        """Whether it is long enough since the server was asked last."""
        pause = _AGAIN_WITHOUT if self._usable(now) is None else _AGAIN
        return self._tried is None or now - self._tried >= pause

    def _fetched(self) -> None:
        """Have the keys fetched, by this thread or by one that is at it; return when that is done."""
        with self._changing:
            flight, mine = self._flight, False
            if flight is None:
                if not self._due(self._clock.monotonic()):  # another thread was quicker, and is through with it
                    return
                flight, mine = Future[None](), True
                self._flight, self._tried = flight, self._clock.monotonic()
        if not mine:
            try:
                flight.result(_WAIT)
            except TimeoutError:
                raise BackendTimeout("jwks_uri is being asked, and has not answered in time") from None
            return
        try:
            self._load()
        finally:
            with self._changing:
                self._flight = None
            flight.set_result(None)

    def _load(self) -> None:
        asked = self._clock.monotonic()
        try:
            keys = parsed(self._fetch(self._endpoint.url))
        except BackendError as error:
            self._failed("away", error)
        except ValueError as error:
            self._failed("refused", BackendUnavailable(f"the keys of jwks_uri were refused: {error}"))
        except Exception as error:  # of a fetch that was given
            self._failed("away", BackendUnavailable(f"jwks_uri cannot be asked: {type(error).__qualname__}"))
        else:
            self._known, self._failure = _Known(MappingProxyType(keys), asked), None
            self._metrics.counter("remote_keys_fetched_total", outcome="done").add()

    def _failed(self, outcome: str, error: BackendError) -> None:
        # At most one in five seconds, as that is how often the server is asked.
        self._failure = error
        self._metrics.counter("remote_keys_fetched_total", outcome=outcome).add()
        told = {"event": f"security.remote_keys.{outcome}", "url": self._endpoint.url}
        _log.warning("the keys of another server were not renewed: %s", error, extra=told)

    def _renew(self) -> None:
        self._fetched()

    def _get(self, url: str) -> bytes:
        answer = self._endpoint.exchange("GET", {"Accept": "application/json"}, max_bytes=MAX_BYTES)
        if answer.status != 200:
            raise BackendUnavailable(f"jwks_uri answered with status {answer.status}")
        return answer.body

    def _forget(self) -> None:
        """In a forked child: who was fetching is the parent's thread."""
        self._changing = threading.Lock()
        self._flight = None

    def _open(self) -> None:
        self._errand.open()

    def _close(self) -> None:
        self._errand.close(finish=False)
        self.bridge.close()


def parsed(body: bytes) -> dict[str, SigningKey]:
    """The keys of a set by their names; :class:`ValueError`, which repeats nothing of it, for a set that is refused.

    A key that has no name, is not for signatures or of a kind that is not used here is left out.
    """
    if len(body) > MAX_BYTES:
        raise ValueError(f"expected at most {MAX_BYTES} bytes")
    try:
        document = json.loads(body.decode(), object_pairs_hook=unique_names)
    except (ValueError, RecursionError):
        raise ValueError("expected JSON in which no name stands twice") from None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > _MOST:
        raise ValueError(f"expected an object with a list of at most {_MOST} keys")
    keys: dict[str, SigningKey] = {}
    for jwk in listed:
        if not isinstance(jwk, dict):
            raise ValueError("expected each key to be an object")
        if jwk.get("kty") == "oct" or not _SECRET.isdisjoint(jwk):
            raise ValueError("a private key or a secret is in it, which everybody knows by now")
        if not isinstance(jwk.get("kid"), str):
            continue
        try:
            key = SigningKey.from_jwk(jwk)
        except ConfigurationError:
            continue
        if key.id in keys:
            raise ValueError("two of its keys have one name")
        keys[key.id] = key
    return keys
