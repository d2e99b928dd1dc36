"""Fetching with both faces: resolve once, judge, connect to what was judged, and follow."""

from __future__ import annotations

import math
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial

from ..._bridge import Bridge
from ..._lifecycle import Lifecycle, after_fork
from ...errors import ConfigurationError, DestinationRefused, FetchFailed, FetchTimeout
from ..destinations import Destinations
from ..urls import Address
from .pinned import Deadline, exchange
from .request import Answer, Request, fetchable, followed

Resolver = Callable[[str, int], Sequence[str]]

_PUBLIC = Destinations()
_LOOKUPS = 16
_MOST_REDIRECTS = 5


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of ``host`` as the system's resolver gives them."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Fetcher:
    """Fetches from ``destinations`` only. Build it once and keep it: it is immutable and shared by threads.

    ``max_bytes``: of one answer's body. ``timeout``: seconds for all of one fetch, name resolution and redirects
    included. ``max_redirects``: how many are followed (0 to 5); with 0 the redirecting answer itself is returned.
    ``resolver``: another way from a name to addresses. ``tls``: whom to trust, the system's authorities by default.
    Raises :class:`ConfigurationError` for other values, and for a ``tls`` that does not verify names.
    """

    def __init__(
        self,
        destinations: Destinations = _PUBLIC,
        *,
        max_bytes: int = 1_048_576,
        timeout: float = 10.0,
        max_redirects: int = 0,
        resolver: Resolver = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if max_bytes < 0 or not 0 < timeout < math.inf or not 0 <= max_redirects <= _MOST_REDIRECTS:
            raise ConfigurationError("Fetcher: expected max_bytes >= 0, timeout above 0 and max_redirects from 0 to 5")
        self._tls = tls or ssl.create_default_context()
        if self._tls.verify_mode != ssl.CERT_REQUIRED or not self._tls.check_hostname:
            raise ConfigurationError("Fetcher: tls must verify certificates and names: ssl.create_default_context()")
        self._destinations = destinations
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._max_redirects = max_redirects
        self._resolver = resolver
        self._forget()
        after_fork(self._forget)

    def fetch(
        self, url: str, *, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask for ``url`` and return what was answered, whatever its status.

        Raises :class:`DestinationRefused`, :class:`FetchFailed`, :class:`FetchTimeout` or :class:`AnswerTooLarge`,
        none of which repeats the URL or tells an address, and :class:`UsageError` for a method or header that cannot be
        sent. Nothing is tried again. The body counts as sent, without compression, which is not asked for.
        """
        request = Request.checked(method, headers or {}, body)
        deadline = Deadline(self._timeout)
        address = fetchable(url)
        answer = self._asked(address, request, deadline)
        for _ in range(self._max_redirects):
            if not answer.is_redirect:
                return answer
            address, request = followed(address, request, answer)
            answer = self._asked(address, request, deadline)
        if self._max_redirects and answer.is_redirect:
            raise FetchFailed("the server redirects more often than allowed")
        return answer

    def _asked(self, address: Address, request: Request, deadline: Deadline) -> Answer:
        places: Sequence[str] = ()
        if self._destinations.admits(address):
            answers = [address.host] if address.is_ip else self._resolved(address, deadline)
            places = self._destinations.chosen(answers)
        if not places:
            raise DestinationRefused("the URL leads to no destination that is allowed")
        return exchange(address, places, request, self._tls, deadline, self._max_bytes)

    def _resolved(self, address: Address, deadline: Deadline) -> Sequence[str]:
        # The system's resolver knows no time-out: it goes on in a thread of its own, and those are counted.
        if not self._lookups.acquire(timeout=deadline.left()):
            raise FetchTimeout("too many names are being resolved")
        answer: Future[Sequence[str]] = Future()
        lookup = partial(_look_up, self._resolver, address, answer, self._lookups)
        threading.Thread(target=lookup, name="postrmagic-resolver", daemon=True).start()
        try:
            return answer.result(deadline.left())
        except TimeoutError:
            raise FetchTimeout("the name was not resolved within the time-out") from None
        except (OSError, UnicodeError):
            return ()

    def _forget(self) -> None:
        self._lookups = threading.BoundedSemaphore(_LOOKUPS)


def _look_up(
    resolver: Resolver, address: Address, answer: Future[Sequence[str]], lookups: threading.BoundedSemaphore
) -> None:
    try:
        answer.set_result(resolver(address.host, address.port))
    except BaseException as error:
        answer.set_exception(error)
    finally:
        lookups.release()


class AsyncFetcher(Lifecycle):
    """The async face of a :class:`Fetcher`: ``async with AsyncFetcher(fetcher) as web: await web.fetch(url)``.

    ``threads`` bounds how many fetches run at once. Cancelled, one runs to its own time-out first. Raises
    :class:`NotOpen` outside ``async with``.
    """

    def __init__(self, fetcher: Fetcher, threads: int = 8) -> None:
        super().__init__()
        self._fetcher = fetcher
        self._bridge = Bridge(threads, "postrmagic-fetch")

    async def fetch(
        self, url: str, *, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """:meth:`Fetcher.fetch`."""
        self.ensure_open()
        call = partial(self._fetcher.fetch, url, method=method, body=body, headers=headers)
        return await self._bridge.lift(call)

    def _open(self) -> None:
        """Nothing to do: threads start with their first work."""

    def _close(self) -> None:
        self._bridge.close()
