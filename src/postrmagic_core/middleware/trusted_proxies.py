"""Who really asked: the client's address, scheme and host as proxies of ours say, and as nobody else can say."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from itertools import islice
from typing import Literal, TypeAlias

from .header_limits import is_authority
from .interface import Header, Layer, Middleware, Request, Scope
from .order import middleware

_MOST = 32  # proxies in a row
_LONGEST = 1024  # characters of one element of `Forwarded`
_READ = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"})
_OTHERS = frozenset({
    b"forwarded", b"x-real-ip", b"x-client-ip", b"x-cluster-client-ip", b"true-client-ip", b"cf-connecting-ip",
    b"cf-connecting-ipv6", b"fastly-client-ip", b"fly-client-ip", b"x-appengine-user-ip", b"x-azure-clientip",
    b"x-envoy-external-address", b"x-original-forwarded-for", b"x-original-host", b"x-host", b"x-url-scheme",
    b"x-scheme", b"front-end-https",
})  # fmt: skip
_FAMILY = b"x-forwarded"  # X-Forwarded-User, -Client-Cert, … too: what proxies say about whom they let in
_FOLDED = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_", b"abcdefghijklmnopqrstuvwxyz-")
_IS_SECURE = {"http": False, "ws": False, "https": True, "wss": True}
_NODE = re.compile(
    r"(?:(?P<v4>[0-9.]{7,15})|\[(?P<v6>[0-9A-Fa-f:.]{2,45})\])(?::(?:(?P<port>[0-9]{1,5})|_[A-Za-z0-9._-]{1,64}))?"
    r"|(?P<bare>[0-9A-Fa-f:.]{2,45})"
)
_PAIR = r"""[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([][:!#$%&'*+.^_`|~0-9A-Za-z-]+|"(?:[^"\\]|\\.)*")[ \t]*"""
_PAIRS = re.compile(_PAIR)
_ELEMENT = re.compile(f"{_PAIR}(?:;{_PAIR})*")

_Address: TypeAlias = tuple[str, int]
_Look: TypeAlias = Callable[[str], tuple[str | None, bool]]
_Told: TypeAlias = dict[bytes, list[str]]


def trusted_proxies(
    networks: Collection[str],
    *,
    hops: int | None = None,
    header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for",
    host: bool = False,
) -> Middleware:
    """Set the client's address and scheme, and with ``host=True`` the ``Host`` header, from what trusted proxies say.

    ``networks`` are the proxies' (``"10.0.0.0/8"``, ``"2001:db8::7"``, ``"unix"`` for peers of a Unix socket). The
    client is the rightmost address in ``header`` that is none of theirs, or the ``hops``-th from the right where their
    addresses change. If anything to the right of it, or it itself, is no address, the peer is the client. ``forwarded``
    is RFC 7239; ``x-forwarded-for`` goes with ``X-Forwarded-Proto`` and ``X-Forwarded-Host``. Of a list of schemes or
    hosts the one at the client's place from the right counts; what is no scheme or host is not believed.

    ``host=True`` only if a proxy sets the host itself in every request: many hand on what the client wrote.

    Every header by which proxies name a client, scheme or host leaves the scope, so that no later code reads another
    answer from it (ASVS 4.1.3). Others that begin with ``X-Forwarded-`` leave it only if the peer is no trusted proxy.
    An IPv4 address in IPv6 form becomes IPv4.
    """
    look = _looking(networks, hops)
    if header not in {"x-forwarded-for", "forwarded"}:
        raise ValueError(f"expected header='x-forwarded-for' or 'forwarded', got {header!r}")
    if hops is not None and not 1 <= hops <= _MOST:
        raise ValueError(f"expected hops from 1 to {_MOST}, got {hops}")
    read = _by_forwarded if header == "forwarded" else _by_x_forwarded

    @middleware(name="trusted_proxies", outermost=True, scopes=["http", "websocket"])
    def layer(request: Request) -> Layer:
        scope = request.scope
        headers = scope.get("headers") or ()
        peer = scope.get("client")
        text = str(peer[0] or "") if peer else ""
        address, trusted = look(text.partition("%")[0])
        if address is not None and address != text and "%" not in text:
            scope["client"] = (address, scope["client"][1])
        if not trusted:
            kept = [pair for pair in headers if not _tells(pair[0])]
            if len(kept) != len(headers):
                scope["headers"] = kept
        elif told := _taken(scope, headers):
            client, scheme, name = read(told, look, hops)
            if client is not None:
                scope["client"] = client
            _believe(scope, scheme, name if host else "")
        yield from ()

    return layer


def _looking(networks: Collection[str], hops: int | None) -> _Look:
    """A function from an address to how it is written, ``None`` if it is none, and whether it is a trusted proxy's."""
    if isinstance(networks, str):
        raise ValueError(f"expected a list of networks, got the text {networks!r}: write [{networks!r}]")
    # Its ValueError names the network and what is wrong.
    known = [ip_network(network) for network in networks if network != "unix"]
    if hops is None and any(network.prefixlen == 0 for network in known):
        raise ValueError(
            "a network of all addresses trusts what any client writes: name the proxies' own, or give hops"
        )
    unix = "unix" in networks

    @lru_cache(maxsize=4096)
    def look(text: str) -> tuple[str | None, bool]:
        if not text:
            return None, unix
        try:
            address = ip_address(text)
        except ValueError:
            return None, False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return str(address), any(address in network for network in known)

    return look


def _tells(name: bytes) -> bool:
    # Underscores too: a WSGI server below makes one variable of both spellings.
    folded = name.translate(_FOLDED)
    return folded[:11] == _FAMILY or folded in _OTHERS


def _taken(scope: Scope, headers: Iterable[Header]) -> _Told:
    """What the peer told, by header, taken out of the scope."""
    kept, told, strange = [], _Told(), False
    for pair in headers:
        name = pair[0].lower()
        if name in _READ:
            told.setdefault(name, []).append(pair[1].decode("latin-1"))
        elif name in _OTHERS or (b"_" in name and _tells(name)):
            strange = True
        else:
            kept.append(pair)
    if told or strange:
        scope["headers"] = kept
    return told


def _by_x_forwarded(told: _Told, look: _Look, hops: int | None) -> tuple[_Address | None, str, str]:
    lines = told.get(b"x-forwarded-for", [])
    client, place = _client((part for line in reversed(lines) for part in _from_right(line)), look, hops)
    return client, _at(place, told.get(b"x-forwarded-proto")), _at(place, told.get(b"x-forwarded-host"))


def _by_forwarded(told: _Told, look: _Look, hops: int | None) -> tuple[_Address | None, str, str]:
    read: list[dict[str, str]] = []

    def nodes() -> Iterator[str]:
        for element in _elements(told.get(b"forwarded", [])):
            read.append(element)
            yield element.get("for", "")

    client, place = _client(nodes(), look, hops)
    said = read[place - 1] if read else {}
    return client, said.get("proto", ""), said.get("host", "")


def _client(nodes: Iterable[str], look: _Look, hops: int | None) -> tuple[_Address | None, int]:
    """The client among ``nodes``, the nearest first, and its place, from 1; ``None`` and 1 where that is not known."""
    found, place = None, 1
    for place, node in enumerate(islice(nodes, _MOST), 1):
        match = _NODE.fullmatch(node.strip(" \t"))
        port = int(match["port"] or 0) if match is not None else 0
        address, trusted = look(match["v4"] or match["v6"] or match["bare"]) if match is not None else (None, False)
        if address is None or port > 65_535:
            return None, 1
        found = (address, port)
        if place == hops or (hops is None and not trusted):
            return found, place
    # Only trusted proxies: the first of them asked. Fewer hops than there must be, or more than are read: not known.
    return (found, place) if hops is None and place < _MOST else (None, 1)


def _from_right(line: str) -> Iterator[str]:
    return reversed(line.rsplit(",", _MOST))


def _at(place: int, lines: list[str] | None) -> str:
    """Of a list the value at ``place`` from the right; one that is alone holds for all."""
    values = ",".join(lines or ()).rsplit(",", place)
    return values[-min(place, len(values))].strip(" \t") if len(values) in {1, place, place + 1} else ""


def _elements(lines: Sequence[str]) -> Iterator[dict[str, str]]:
    """The elements of ``Forwarded``, the nearest proxy's first; an empty one, the last, where it cannot be read.

    Read from the right, so that nothing a client writes can hide what a proxy appended to it: inside a quoted string
    no comma is followed by a whole element.
    """
    for line in reversed(lines):
        end = comma = len(line)
        while comma >= 0:
            comma = line.rfind(",", 0, comma)
            if end - comma > _LONGEST:
                break
            element = _element(line[comma + 1 : end])
            if element:
                yield element
                end = comma
        if end >= 0:
            yield {}
            return


def _element(text: str) -> dict[str, str]:
    """The parameters of one element of ``Forwarded``; none if it is malformed or names one twice."""
    if _ELEMENT.fullmatch(text) is None:
        return {}
    pairs = [(name.lower(), _unquoted(value)) for name, value in _PAIRS.findall(text)]
    element = dict(pairs)
    return element if len(element) == len(pairs) else {}


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] == '"' else value


def _believe(scope: Scope, scheme: str, host: str) -> None:
    secure = _IS_SECURE.get(scheme.lower())
    if secure is not None:
        plain = "ws" if scope["type"] == "websocket" else "http"
        scope["scheme"] = f"{plain}s" if secure else plain
    if host and is_authority(host):
        others = [pair for pair in scope["headers"] if pair[0].lower() != b"host"]
        scope["headers"] = [(b"host", host.encode("ascii")), *others]
