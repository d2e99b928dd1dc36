"""Where a session is used: from what kind of agent and network, and what it means when that changes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Literal

Rule = Literal["off", "log", "revoke"]

# The first of these that an agent names decides: most call themselves Safari and Chrome besides.
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "YaBrowser": "Yandex",
    "Vivaldi": "Vivaldi",
    "FxiOS": "Firefox",
    "Firefox": "Firefox",
    "CriOS": "Chrome",
    "HeadlessChrome": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
_SYSTEMS = {
    "Windows": "Windows",
    "Android": "Android",
    "iPhone": "iOS",
    "iPad": "iOS",
    "CrOS": "ChromeOS",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}", re.ASCII)
# Bits that name a site rather than a machine: what an internet provider gives one customer, or moves them within.
_IPV4, _IPV6 = 24, 48


@dataclass(frozen=True, slots=True)
class Client:
    """Who sent a request: the address it came from and its ``User-Agent``, as far as they are known."""

    address: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """What happens when a session is used by another kind of agent, or from another network, than before.

    ``log`` tells it and remembers the new one; ``revoke`` ends the session; ``off`` looks at neither.
    """

    agent: Rule = "log"
    network: Rule = "log"

    def __post_init__(self) -> None:
        for rule in (self.agent, self.network):
            if rule not in {"off", "log", "revoke"}:
                raise ValueError(f'expected "off", "log" or "revoke", got {rule!r}')


@dataclass(frozen=True, slots=True)
class Place:
    """What is remembered of a client: the family of its agent and the prefix of its network."""

    agent: str | None = None
    network: str | None = None


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about a session, and why."""

    rule: Rule
    reasons: tuple[str, ...] = ()


def place_of(client: Client | None) -> Place:
    """What of a client is kept."""
    if client is None:
        return NOWHERE
    return Place(agent_family(client.agent), network_of(client.address))


@lru_cache(maxsize=1024)
def agent_family(agent: str | None) -> str | None:
    """``"Firefox on Linux"``: browser and system, without versions, which change by themselves; of other programs the
    product's name (RFC 9110, section 10.1.5).
    """
    if not agent:
        return None
    browser = next((name for sign, name in _BROWSERS.items() if sign in agent), None)
    system = next((name for sign, name in _SYSTEMS.items() if sign in agent), None)
    if browser is None:
        product = _TOKEN.match(agent)
        return None if product is None else product[0]
    return f"{browser} on {system}" if system else browser


@lru_cache(maxsize=4096)
def network_of(address: str | None) -> str | None:
    """The network an address is in: its /24, of IPv6 its /48; ``None`` for what is no address."""
    if address is None:
        return None
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ip_network((parsed.packed, _IPV4 if parsed.version == 4 else _IPV6), strict=False))


def judge(before: Place, now: Place, binding: Binding) -> Verdict:
    """What to do when a session that was used at ``before`` is used at ``now``; what is unknown accuses nobody."""
    moved: list[tuple[Rule, str]] = []
    if binding.agent != "off" and now.agent is not None and before.agent not in {None, now.agent}:
        moved.append((binding.agent, f"the agent was {before.agent} and is {now.agent}"))
    if binding.network != "off" and now.network is not None and before.network not in {None, now.network}:
        moved.append((binding.network, f"the network was {before.network} and is {now.network}"))
    rules = {rule for rule, _ in moved}
    rule: Rule = "revoke" if "revoke" in rules else "log" if rules else "off"
    return Verdict(rule, tuple(reason for _, reason in moved))
