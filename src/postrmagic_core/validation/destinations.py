"""Which servers a fetch for somebody outside may reach (OWASP ASVS 1.3.6). Pure: it decides, and resolves nothing.

A name is no decision: it can be made to mean any address, and another one a moment later. What is judged is the address
that is connected to. Only the public network is admitted; all that IANA's registries of special-purpose addresses list
is not, though some of it is public: nothing that a user's URL names lives there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from ..errors import ConfigurationError
from .urls import Address, check_hosts, check_schemes, listed

Ip: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# IANA IPv4 Special-Purpose Address Registry; those inside a larger entry are left out. Then multicast (RFC 5771).
# fmt: off
_SPECIAL_4 = tuple(IPv4Network(network) for network in (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
))
# IANA IPv6 Special-Purpose Address Registry, as far as it lies in the only range given out for public use (RFC 4291).
_PUBLIC_6 = IPv6Network("2000::/3")
_SPECIAL_6 = tuple(IPv6Network(network) for network in (
    "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
))
_PRIVATE = tuple(ip_network(network) for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
# Where clouds hand out a machine's credentials. Azure's is a public address; some of the others are private ones.
_METADATA = frozenset(ip_address(address) for address in (
    "169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192",
))
# fmt: on
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})
_LOW = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Destinations:
    """What may be reached: ``schemes``, ``ports``, ``hosts`` (``None``: any; see :class:`.urls.Url`) and addresses.

    Addresses are public ones and those in ``networks`` (``"127.0.0.1/32"``); ``allow_private`` adds the private
    networks of RFC 1918 and RFC 4193, and not this machine. ``blocked`` takes networks away from all of these: public
    addresses of your own that trust whoever is inside, a NAT64 prefix of your own network (RFC 6052).

    The addresses at which clouds hand out credentials are admitted only where ``networks`` names that one address. An
    IPv6 address that carries an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) is judged by both.
    """

    schemes: Collection[str] = ("https",)
    ports: Collection[int] = (443,)
    hosts: Collection[str] | None = None
    networks: Collection[str] = ()
    allow_private: bool = False
    blocked: Collection[str] = ()
    _networks: tuple[Network, ...] = field(init=False, repr=False, compare=False)
    _blocked: tuple[Network, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_schemes(self.schemes, ("https", "http"))
        check_hosts(self.hosts)
        object.__setattr__(self, "_networks", _networks("networks", self.networks))
        object.__setattr__(self, "_blocked", _networks("blocked", self.blocked))

    def admits(self, address: Address) -> bool:
        """Whether the URL's scheme, port and host may be asked for at all, before its name is resolved."""
        return (
            address.scheme in self.schemes
            and address.port in self.ports
            and (self.hosts is None or listed(address.host, self.hosts))
        )

    def allows(self, address: str) -> bool:
        """Whether a connection may go to this IP address. What is no address, or has a zone, may not be reached."""
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        return getattr(ip, "scope_id", None) is None and all(self._permits(each) for each in judged(ip))

    def chosen(self, answers: Sequence[str]) -> tuple[str, ...]:
        """The addresses to try of all that a name was resolved to: every one, or none if one may not be reached.

        A name of the public network has no private address: one that has is an attack or a mistake. Refusing it whole
        makes the answer the same whichever address comes first or is up.
        """
        return tuple(dict.fromkeys(answers)) if all(self.allows(answer) for answer in answers) else ()

    def _permits(self, ip: Ip) -> bool:
        if any(ip in network for network in self._blocked):
            return False
        named = [network for network in self._networks if ip in network]
        if ip in _METADATA:
            return any(network.prefixlen == network.max_prefixlen for network in named)
        return bool(named) or is_public(ip) or (self.allow_private and any(ip in network for network in _PRIVATE))


def _networks(name: str, given: Collection[str]) -> tuple[Network, ...]:
    if isinstance(given, str):
        raise ConfigurationError(f"Destinations: {name} must be a collection, got one text: write (network,)")
    try:
        return tuple(ip_network(network) for network in given)
    except ValueError as error:
        raise ConfigurationError(f"Destinations: {name} must be like 10.1.0.0/16 or fd12::/48: {error}") from None


def is_public(ip: Ip) -> bool:
    """Whether ``ip`` itself is of the public network, by IANA's registries."""
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _SPECIAL_4)
    return ip in _PUBLIC_6 and not any(ip in network for network in _SPECIAL_6)


def judged(ip: Ip) -> Iterator[Ip]:
    """The addresses that must all be allowed for ``ip`` to be: itself, and those of IPv4 that it carries.

    A mapped address (RFC 4291) and one of NAT64 (RFC 6052) only stand for the one they carry.
    """
    if isinstance(ip, IPv4Address):
        yield ip
        return
    number = int(ip)
    low = IPv4Address(number & _LOW)
    if ip in _MAPPED or ip in _NAT64:
        yield low
        return
    yield ip
    if ip in _SIX_TO_FOUR:
        yield IPv4Address(number >> 80 & _LOW)
    elif ip in _TEREDO:  # RFC 4380: the relay's address, and the client's with its bits inverted
        yield IPv4Address(number >> 64 & _LOW)
        yield IPv4Address(~number & _LOW)
    elif (ip in _COMPATIBLE and number > 1) or number >> 32 & _LOW in _ISATAP:
        yield low
