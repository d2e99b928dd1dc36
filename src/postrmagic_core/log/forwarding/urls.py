"""From the URL of a receiver to what ships there."""

from __future__ import annotations

import re
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from ..._clock import Clock
from ...errors import ConfigurationError, UnknownScheme
from .http import NdjsonShipper, Place
from .interface import Shipper
from .otlp import OtlpShipper
from .syslog import DatagramShipper, StreamShipper
from .wire import trust

_SYSLOG: Final = {"syslog+tcp": 514, "syslog+udp": 514, "syslog+tls": 6514}
_HTTP: Final = {"http": 80, "https": 443, "otlp+http": 80, "otlp+https": 443}

_SAME_IN_A_NAME = re.compile(r"[a-z0-9.]+")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")


def shipper_for(
    url: str, token: str | None = None, *, authority: Path | None = None, clock: Clock | None = None
) -> Shipper:
    """The shipper of a receiver at ``url``; nothing is connected yet.

    ``syslog+tcp://``, ``syslog+udp://`` and ``syslog+tls://host:port``; ``otlp+http://`` and
    ``otlp+https://host:4318/v1/logs``; ``http://`` and ``https://`` for newline-delimited JSON. ``token`` is sent as a
    bearer token (RFC 6750), in the clear to this machine alone. ``authority``: certificates (PEM) that are trusted in
    place of the system's. :class:`ConfigurationError`: another scheme, no host, a user in the URL, a token where there
    is no place for one; :class:`MissingExtra`: OTLP without ``postrmagic-core[otel]``.
    """
    parts = _parts(url)
    host = parts.hostname or ""
    if parts.scheme in _SYSLOG:
        return _syslog(parts, host, token, authority)
    secure = parts.scheme.endswith("https")
    if token is not None:
        _see_to(token, host, secure=secure)
    otlp = parts.scheme.startswith("otlp+")
    path = parts.path if parts.path not in ("", "/") or not otlp else "/v1/logs"
    target = (path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _is_plain(target):
        raise ConfigurationError(f"{_shown(parts)} has characters in its path that a URL escapes")
    place = Place(host, parts.port or _HTTP[parts.scheme], target, trust(authority) if secure else None)
    fields = {} if token is None else {"Authorization": f"Bearer {token}"}
    return (OtlpShipper if otlp else NdjsonShipper)(place, fields, clock=clock)


def name_for(url: str) -> str:
    """What a forwarder to ``url`` is called, the same each time: scheme, host, port, and a digest of what is left.

    Raises as :func:`shipper_for`.
    """
    parts = _parts(url)
    port = parts.port or {**_SYSLOG, **_HTTP}[parts.scheme]
    name = _NOT_IN_A_NAME.sub("-", f"{parts.scheme}-{parts.hostname}-{port}").strip("-")
    rest = f"{'' if parts.path == '/' else parts.path}?{parts.query}"
    host = parts.hostname or ""
    if _SAME_IN_A_NAME.fullmatch(host) is None:  # a-b, a.b and a:b would be one
        rest = f"{host}{rest}"
    return f"{name}-{sha256(rest.encode()).hexdigest()[:8]}" if rest != "?" else name


def _syslog(parts: SplitResult, host: str, token: str | None, authority: Path | None) -> Shipper:
    if token is not None:
        raise ConfigurationError("syslog has no place for a token: who may send is the network's or TLS's to say")
    if parts.path not in ("", "/") or parts.query:
        raise ConfigurationError(f"{_shown(parts)} ends behind its port: syslog knows no path")
    port = parts.port or _SYSLOG[parts.scheme]
    if parts.scheme == "syslog+udp":
        return DatagramShipper(host, port)
    return StreamShipper(host, port, trust(authority) if parts.scheme == "syslog+tls" else None)


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError("the URL of a log receiver cannot be read: it is scheme://host:port/path") from error
    if parts.scheme not in _SYSLOG and parts.scheme not in _HTTP:
        known = ", ".join(f"{scheme}://" for scheme in (*_SYSLOG, *_HTTP))
        raise UnknownScheme(f"no log receiver is known for {parts.scheme or 'no scheme'}; known are {known}")
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(f"{_shown(parts)}: a user or password in the URL is not used, give a token")
    if not _is_plain(parts.hostname or "") or port == 0:
        raise ConfigurationError(f"{_shown(parts)} names no host and port to send the log to")
    return parts


def _see_to(token: str, host: str, *, secure: bool) -> None:
    if not _is_plain(token):
        raise ConfigurationError("a bearer token is of visible ASCII characters alone")
    if not secure and not _is_this_machine(host):
        raise ConfigurationError(f"a token would go to {host} in the clear: use https")


def _is_plain(text: str) -> bool:
    """Whether it can stand in the head of a request as it is."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _shown(parts: SplitResult) -> str:
    """The URL without what may be secret."""
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or ""
    return f"{parts.scheme}://{host}"
