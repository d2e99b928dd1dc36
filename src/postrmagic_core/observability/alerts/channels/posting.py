"""One POST of JSON to a receiver, and what its answer means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ....errors import BackendRejected, BackendUnavailable

if TYPE_CHECKING:
    from ....security.exchange import Endpoint

# Seconds for all of it, however busily the answer dribbles.
BUDGET = 10.0
_ANSWER_BYTES = 65_536
# What may go by: the receiver was too slow, is not ready yet, or has too much to do (RFC 9110, 8470, 6585).
_PASSING = frozenset({408, 421, 425, 429})


def carried(url: str) -> str:
    """The URL to post to, of one whose scheme says what besides: ``https://…`` of ``slack+https://…``."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.partition('+')[2]}://{rest}"


def post(endpoint: Endpoint, what: str, headers: Mapping[str, str], body: bytes) -> None:
    """Send ``body`` once.

    No redirect is followed and no proxy used. :class:`BackendRejected` for a status that will not change by itself, a
    redirect among them; :class:`BackendUnavailable` and :class:`BackendTimeout` for what may go by.
    """
    told = {"Content-Type": "application/json", "User-Agent": "postrmagic-core", **headers}
    status = endpoint.exchange("POST", told, body, max_bytes=_ANSWER_BYTES, budget=BUDGET).status
    if 200 <= status < 300:
        return
    if status >= 500 or status in _PASSING:
        raise BackendUnavailable(f"{what} answered {status}")
    raise BackendRejected(f"{what} answered {status}")
