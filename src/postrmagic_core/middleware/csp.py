"""Content security policies: checked when they are written, made into a header when a response leaves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

NONCE = "'nonce-{nonce}'"
"""The place of the nonce in a policy."""
GROUP = "csp"
"""The name of the reports' address, in ``report-to`` and ``Reporting-Endpoints``."""

Policy: TypeAlias = str | Mapping[str, str | Iterable[str]]

# CSP Level 3 and Trusted Types. Browsers skip a directive they do not know: a typo protects nothing.
_DIRECTIVES = frozenset(
    {"base-uri", "child-src", "connect-src", "default-src", "font-src", "form-action", "frame-ancestors", "frame-src"}
    | {"img-src", "manifest-src", "media-src", "object-src", "report-to", "report-uri", "require-trusted-types-for"}
    | {"sandbox", "script-src", "script-src-attr", "script-src-elem", "style-src", "style-src-attr", "style-src-elem"}
    | {"trusted-types", "upgrade-insecure-requests", "webrtc", "worker-src"}
)
_SOURCE = re.compile(r"[\x21-\x2b\x2d-\x3a\x3c-\x7e]+")  # visible; "," and ";" would begin another policy or directive
_UNQUOTED = re.compile(
    r"none|self|unsafe-[a-z-]+|wasm-unsafe-eval|strict-dynamic|report-sample|nonce-.*|sha(?:256|384|512)-.*", re.ASCII
)
_OWN_WORDS = {"sandbox", "report-to", "trusted-types", "require-trusted-types-for"}
_FRAMED = re.compile(r"(?:\A|[;,])\s*frame-ancestors\s", re.IGNORECASE)


def parse(given: Policy, reports: str | None = None) -> dict[str, list[str]]:
    """The directives of a policy with their sources; violations go to the URL ``reports``.

    :class:`ValueError` for an unknown or repeated directive, for a keyword without its quotes, and for whatever could
    end the directive or the header.
    """
    policy: dict[str, list[str]] = {}
    for name, sources in _directives(given):
        if name not in _DIRECTIVES:
            raise ValueError(f"no such directive in a Content-Security-Policy: {name!r}")
        if name in policy:
            raise ValueError(f"the directive {name} stands twice: browsers heed the first alone")
        policy[name] = [_checked(name, source) for source in sources]
    if reports is not None:
        if "report-uri" in policy or "report-to" in policy:
            raise ValueError("reports= says where violations are reported: leave report-to and report-uri out")
        policy |= {"report-uri": [_checked("report-uri", reports)], "report-to": [GROUP]}
    return policy


def _directives(given: Policy) -> Iterable[tuple[str, list[str]]]:
    if isinstance(given, str):
        parts = (part.strip(" ").split(" ") for part in given.split(";") if part.strip(" "))
        return [(name.lower(), [source for source in sources if source]) for name, *sources in parts]
    return [
        (name, [source for source in sources.split(" ") if source] if isinstance(sources, str) else list(sources))
        for name, sources in given.items()
    ]


def _checked(directive: str, source: str) -> str:
    if not _SOURCE.fullmatch(source):
        raise ValueError(f"{directive} {source!r}: expected visible ASCII characters without comma and semicolon")
    if directive not in _OWN_WORDS and _UNQUOTED.fullmatch(source.lower()):
        raise ValueError(f"{directive} {source}: write '{source}', in single quotes; without them it is a host's name")
    if "{" in source and source != NONCE:
        raise ValueError(f"{directive} {source!r}: the only placeholder is csp.NONCE, {NONCE}")
    return source


def text(policy: Mapping[str, Iterable[str]], nonce: str | None) -> bytes:
    """The header's value. Without a ``nonce`` nothing takes its place: what it would have allowed is not allowed.

    Beside a nonce browsers ignore ``'unsafe-inline'``, so that it goes with it.
    """
    return "; ".join(" ".join([name, *_sources(list(sources), nonce)]) for name, sources in policy.items()).encode()


def _sources(sources: list[str], nonce: str | None) -> list[str]:
    if NONCE not in sources:
        return sources
    if nonce is not None:
        return [source.format(nonce=nonce) if source == NONCE else source for source in sources]
    return [source for source in sources if source not in {NONCE, "'unsafe-inline'"}] or ["'none'"]


def says_who_frames(values: Iterable[str]) -> bool:
    """Whether one of these headers has ``frame-ancestors``."""
    return any(_FRAMED.search(value) for value in values)
