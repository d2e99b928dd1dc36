"""Which addresses a fetch may reach: the public network, what was named, and nothing else however it is written."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.validation.destinations import Destinations
from postrmagic_core.validation.urls import Address, parsed
from tests.validation.fuzzing import quick

PUBLIC = Destinations()

# Every entry of IANA's IPv4 and IPv6 Special-Purpose Address Registries, then multicast and deprecated ranges.
IPV4 = [
    *("0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32"),
    *("192.0.0.10/32", "192.0.0.170/32", "192.0.0.171/32"),
    *("192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.88.99.2/32", "192.168.0.0/16"),
    *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "255.255.255.255/32"),
    *("224.0.0.0/4", "224.0.0.1/32", "239.255.255.250/32"),
]  # fmt: skip
IPV6 = [
    *("::1/128", "::/128", "::ffff:0:0/112", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001::/32"),
    *("2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:2::/48"),
    *("2001:3::/32", "2001:4:112::/48", "2001:10::/28"),
    *("2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16"),
    *("fc00::/7", "fe80::/10", "ff00::/8", "ff02::1/128", "fec0::/10", "::/96", "4000::/3", "e000::/4"),
]  # fmt: skip
METADATA = ["169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"]


@pytest.mark.parametrize("network", [*IPV4, *IPV6])
def test_no_special_network_is_public(network: str) -> None:
    """The first, the last and a middle address of each registered network are refused."""
    registered = ip_network(network)
    for number in (0, registered.num_addresses // 2, registered.num_addresses - 1):
        assert not PUBLIC.allows(str(registered[number]))


@pytest.mark.parametrize("address", METADATA)
def test_credentials_of_a_cloud_are_never_public(address: str) -> None:
    """Not by a network around it, nor among private networks; only when that one address is named."""
    wide = "fc00::/7" if ":" in address else "0.0.0.0/0"
    assert not Destinations(allow_private=True, networks=(wide,)).allows(address)
    assert not PUBLIC.allows(f"::ffff:{address}" if ":" not in address else address)
    assert Destinations(networks=(address,)).allows(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2003::1",
        "2606:4700::1111",
        "2a00:1450:4001::1",
        "3ffe:ffff::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ],
)
def test_the_public_network_is_public(address: str) -> None:
    """The neighbours of every special network can be reached, also through NAT64 and as mapped addresses."""
    assert PUBLIC.allows(address)


def carriers(address: str) -> list[str]:
    """IPv6 addresses that carry this IPv4 address."""
    number = int(IPv4Address(address))
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    mirrored = number ^ 0xFFFF_FFFF
    return [
        f"::ffff:{address}",
        f"::ffff:{high}:{low}",
        f"64:ff9b::{high}:{low}",
        f"::{high}:{low}",
        f"2002:{high}:{low}::1",
        f"2001:0:808:808:0:0:{mirrored >> 16:x}:{mirrored & 0xFFFF:x}",
        f"2001:0:{high}:{low}::f7f7:f7f7",
        f"2a00::5efe:{high}:{low}",
        f"2a00::200:5efe:{high}:{low}",
    ]


@pytest.mark.parametrize(
    "inside", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1"]
)
def test_an_address_inside_another_is_judged(inside: str) -> None:
    """Mapped, NAT64, compatible, 6to4, Teredo (client and relay) and ISATAP do not hide it."""
    assert [address for address in carriers(inside) if PUBLIC.allows(address)] == []


@pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254"])
def test_a_carrier_that_is_named_does_not_hide_what_it_carries(inside: str) -> None:
    """Naming all of IPv6 admits no IPv4 address."""
    wide = Destinations(networks=("::/0",))
    assert [address for address in carriers(inside) if wide.allows(address)] == []


@pytest.mark.parametrize("address", ["2002:808:808::1", "2001:0:808:808::f7f7:f7f7", "::8.8.8.8"])
def test_tunnels_are_refused_themselves(address: str) -> None:
    """Nothing that a URL names answers in 6to4, Teredo or compatible addresses, whatever they carry."""
    assert not PUBLIC.allows(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "127.1",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "8.8.8.8.",
        " 8.8.8.8",
        "fe80::1%eth0",
        "2a00::1%1",
        "8.8.8.8/32",
    ],
)
def test_what_is_no_plain_address_is_refused(text: str) -> None:
    """Also a zone: it names a network card of this machine."""
    assert not PUBLIC.allows(text)


def test_private_networks_are_not_this_machine() -> None:
    """``allow_private`` adds RFC 1918 and RFC 4193, and neither loopback, link-local nor shared addresses."""
    private = Destinations(allow_private=True)
    assert all(private.allows(address) for address in ("10.1.2.3", "172.31.0.1", "192.168.0.1", "fd12::1", "8.8.8.8"))
    refused = ("127.0.0.1", "::1", "0.0.0.1", "169.254.1.1", "fe80::1", "100.64.0.1", "224.0.0.1")
    assert not any(private.allows(address) for address in refused)


def test_a_named_network_is_admitted_and_nothing_beside_it() -> None:
    """Exactly what was named, however it is written."""
    named = Destinations(networks=("127.0.0.1/32", "fd12::/48"))
    assert named.allows("127.0.0.1")
    assert named.allows("::ffff:127.0.0.1")
    assert named.allows("fd12::5")
    assert not named.allows("127.0.0.2")
    assert not named.allows("fd13::5")


def test_a_blocked_network_is_refused_though_it_is_public_or_named() -> None:
    """Also where another address carries it."""
    blocked = Destinations(networks=("10.0.0.0/8",), blocked=("10.9.0.0/16", "8.8.8.8/32", "2a00:64::/96"))
    assert blocked.allows("10.8.0.1")
    assert blocked.allows("8.8.4.4")
    refused = ("10.9.0.1", "8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2a00:64::7f00:1")
    assert not any(blocked.allows(address) for address in refused)


def test_one_refused_address_refuses_the_name() -> None:
    """Whichever comes first; a name without an address leads nowhere."""
    assert PUBLIC.chosen(["8.8.8.8", "2606:4700::1111", "8.8.8.8"]) == ("8.8.8.8", "2606:4700::1111")
    assert PUBLIC.chosen(["8.8.8.8", "127.0.0.1"]) == ()
    assert PUBLIC.chosen(["10.0.0.1", "8.8.8.8"]) == ()
    assert PUBLIC.chosen([]) == ()


@pytest.mark.parametrize(
    ("url", "admitted"),
    [
        ("https://example.org/", True),
        ("https://a.cdn.example:8443/", True),
        ("http://example.org/", False),
        ("https://example.org:22/", False),
        ("https://evil.example/", False),
    ],
)
def test_scheme_port_and_host_are_judged_before_resolving(url: str, admitted: bool) -> None:
    """What is not to be asked is not looked up either."""
    address = parsed(url)
    assert isinstance(address, Address)
    assert Destinations(ports=(443, 8443), hosts=("example.org", ".cdn.example")).admits(address) is admitted


@quick
@given(st.ip_addresses())
def test_every_address_is_decided(address: Any) -> None:
    """Never more than Python's own table calls global or multicast, whatever the address."""
    if PUBLIC.allows(str(address)):
        inside = address if address.version == 4 else address.ipv4_mapped or address
        in_nat64 = ip_address(address) in ip_network("64:ff9b::/96") if address.version == 6 else False
        assert inside.is_global or in_nat64
        assert not inside.is_multicast


@pytest.mark.parametrize(
    "wrong",
    [
        {"networks": "10.0.0.0/8"},
        {"networks": ("10.0.0.1/8",)},
        {"networks": ("intranet",)},
        {"blocked": ("10.0.0.0/33",)},
        {"blocked": "8.8.8.8"},
        {"schemes": ("file",)},
        {"schemes": ("ftp",)},
        {"schemes": "https"},
        {"hosts": ("Example.org",)},
    ],
)
def test_a_policy_that_says_something_else_is_refused(wrong: dict[str, Any]) -> None:
    """At construction, with what was expected."""
    with pytest.raises(ConfigurationError, match=r"networks|blocked|schemes|hosts"):
        Destinations(**wrong)
