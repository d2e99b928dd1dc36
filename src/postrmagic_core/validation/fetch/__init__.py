"""Fetching what a URL from outside names, and nothing inside (server-side request forgery; OWASP ASVS 1.3.6).

Each name is resolved once, all of its addresses are judged (:class:`.destinations.Destinations`), and the connection
goes to a judged address: a second resolution, which could answer otherwise, does not happen. Redirects are judged like
the first URL. Proxies named by the environment are not used: they would resolve the name again.

Built on ``http.client``, ``ssl`` and ``socket``, since the address must be ours to choose and the time ours to end;
clients with pools and redirects of their own resolve names themselves.
"""

from __future__ import annotations

from ...errors import AnswerTooLarge, DestinationRefused, FetchError, FetchFailed, FetchTimeout
from .fetcher import AsyncFetcher, Fetcher, resolve
from .request import Answer

__all__ = [
    "Answer",
    "AnswerTooLarge",
    "AsyncFetcher",
    "DestinationRefused",
    "FetchError",
    "FetchFailed",
    "FetchTimeout",
    "Fetcher",
    "resolve",
]
