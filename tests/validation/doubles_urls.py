"""What takes the place of the guards of URLs, fetches and text when a test must show that it can fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

from postrmagic_core.validation.destinations import Destinations, Ip
from postrmagic_core.validation.fetch import DestinationRefused, Fetcher
from postrmagic_core.validation.fetch.pinned import Deadline, exchange
from postrmagic_core.validation.fetch.request import Answer, Request, fetchable
from postrmagic_core.validation.html import HtmlPolicy
from postrmagic_core.validation.urls import Address


def itself(ip: Ip) -> list[Ip]:
    """An address without what it carries."""
    return [ip]


def those_allowed(self: Destinations, answers: Sequence[str]) -> tuple[str, ...]:
    """The allowed addresses of a name, though it has others."""
    return tuple(answer for answer in answers if self.allows(answer))


def asked_after_resolving_again(self: Any, address: Address, request: Request, deadline: Deadline) -> Answer:
    """A connection to what the name means now, after another answer was judged."""
    places: Destinations = self._destinations
    if not places.admits(address) or not places.chosen(self._resolver(address.host, address.port)):
        raise DestinationRefused("refused")
    fetcher: Fetcher = self
    again = self._resolver(address.host, address.port)
    return exchange(address, again, request, fetcher._tls, deadline, fetcher._max_bytes)


def followed_with_everything(address: Address, request: Request, answer: Answer) -> tuple[Address, Request]:
    """A redirect that keeps method, body and every header, and leaves https."""
    return fetchable(urljoin(str(address), answer.header("location") or "")), replace(request)


def ample(self: Deadline) -> float:
    """Five seconds for each step."""
    return 5.0


def any_host(text: str) -> tuple[str, bool]:
    """A host as it was written."""
    return text.lower(), False


def untouched(html: str, policy: HtmlPolicy) -> str:
    """HTML as it came."""
    return html


def as_it_came(text: str, *, lines: bool = False) -> str:
    """Text as it came."""
    return text
