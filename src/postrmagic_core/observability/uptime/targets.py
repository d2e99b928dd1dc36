"""Probes as settings write them: a URL, with options behind ``#``, which no server is ever sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from ...errors import ConfigurationError
from .interface import Kind, Probe

_IS_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}").fullmatch
_IS_HOST = re.compile(r"[^\s/\\@\[\]]{1,253}").fullmatch
_KINDS: Final[Mapping[str, Kind]] = {
    "internal": "internal",
    "http": "http",
    "https": "http",
    "tcp": "tcp",
    "tls": "tls",
}
_PORTS = {"http": 80, "https": 443, "tls": 443}
_OPTIONS: Final[Mapping[str, type]] = {
    "every": float,
    "timeout": float,
    "failures": int,
    "status": int,
    "text": str,
    "days": float,
}
_TIMEOUT = 60.0
_OF_HTTP = {"status", "text"}
# RFC 3986, section 3.3 and 3.4; what is percent-encoded stays so.
_SAFE = "/%:@!$&'()*+,;=~?"


def probe(name: str, url: str, *, every: float = 60.0) -> Probe:
    """The probe that a URL describes.

    ``https://host/path`` and ``http://``, ``tcp://host:port``, ``tls://host:port``, ``internal:``. Behind ``#`` options
    as in a query: ``every``, ``timeout`` (seconds), ``failures``, ``status``, ``text``, ``days``: see :class:`Probe`.
    :class:`ConfigurationError` says what is wrong, and shows nothing of the URL.
    """
    if _IS_NAME(name) is None:
        raise ConfigurationError(f"a probe's name has 1 to 64 of A-Z a-z 0-9 _ . -, got {name!r}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _wrong(name, "a URL") from None
    kind = _KINDS.get(parts.scheme)
    if kind is None:
        raise _wrong(name, "https://…, http://…, tcp://host:port, tls://host:port or internal:")
    if kind != "internal" and not _IS_HOST(parts.hostname or ""):
        raise _wrong(name, "a host")
    if port == 0 or (kind == "tcp" and port is None):
        raise _wrong(name, "a port, as in tcp://host:port")
    options = _options(name, kind, parts.fragment)
    made: dict[str, Any] = {"every": every, **options}
    return Probe(name, kind, _shown(parts), parts._replace(fragment="").geturl(), **made)


def place(url: str) -> tuple[str, int]:
    """Host and port of a probe's URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)


def asked(url: str) -> str:
    """Path and query, as a request line may have them."""
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe=_SAFE)
    return f"{path}?{quote(parts.query, safe=_SAFE)}" if parts.query else path


def _shown(parts: SplitResult) -> str:
    """Without user, password, query and fragment."""
    if parts.scheme == "internal":
        return "internal:"
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path if parts.scheme in {'http', 'https'} else ''}"


def _options(name: str, kind: Kind, fragment: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option, value in parse_qsl(fragment, keep_blank_values=True):
        made = _OPTIONS.get(option)
        if made is None or (option in _OF_HTTP and kind != "http") or (option == "days" and kind != "tls"):
            known = [each for each in _OPTIONS if (each not in _OF_HTTP or kind == "http")]
            known = [each for each in known if each != "days" or kind == "tls"]
            raise _wrong(name, f"behind # only {', '.join(known)}")
        try:
            found[option] = made(value)
        except ValueError:
            raise _wrong(name, f"{option}= as a number") from None
        if made is not str and not 0 <= found[option] < 1e9:
            raise _wrong(name, f"{option}= as a positive number")
    # The others wait for it, those of the same round.
    if found.get("timeout", 0) > _TIMEOUT:
        raise _wrong(name, f"timeout= of at most {_TIMEOUT:g} seconds")
    for option in ("every", "timeout", "failures"):
        if option in found and not found[option]:
            raise _wrong(name, f"{option}= as a positive number")
    return found


def _wrong(name: str, expected: str) -> ConfigurationError:
    return ConfigurationError(f"the probe {name} is no target that can be looked at: expected {expected}")
