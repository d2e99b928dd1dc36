"""What the dashboard answers with: headers that let nothing in, and bodies in one piece."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Header: TypeAlias = tuple[str, str]

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# `same-origin`, not `no-referrer`: with that browsers send `Origin: null` with a form of our own.
_ALWAYS: tuple[Header, ...] = (
    ("content-security-policy", CSP),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
HTML = "text/html; charset=utf-8"
FORM_BYTES = 65_536
"""The longest form that is read."""
_FIELDS = 100


async def start(send: Send, status: int, headers: Iterable[Header], *, store: str = "no-store") -> None:
    """The head of an answer."""
    pairs = [*_ALWAYS, ("cache-control", store), *headers]
    encoded = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in pairs]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def answer(
    send: Send,
    status: int,
    body: bytes,
    media_type: str = HTML,
    *,
    headers: Iterable[Header] = (),
    store: str = "no-store",
    head: bool = False,
) -> None:
    """A whole answer; to HEAD without its body."""
    told = [("content-type", media_type), ("content-length", str(len(body))), *headers]
    await start(send, status, told, store=store)
    await send({"type": "http.response.body", "body": b"" if head else body})


async def redirect(send: Send, to: str, *, headers: Iterable[Header] = ()) -> None:
    """See other: what was sent is not sent again when the page is loaded again (RFC 9110, section 15.4.4)."""
    await answer(send, 303, b"", headers=[("location", to), *headers])


async def form(receive: Receive) -> dict[str, str] | None:
    """The fields of a form, of at most 64 KiB and a hundred fields; ``None`` if it is more, or did not arrive."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > FORM_BYTES:
            return None
        if not message.get("more_body", False):
            return pairs(b"".join(chunks))


def pairs(encoded: bytes) -> dict[str, str] | None:
    """A query or a form by name, the first of each; ``None`` if there are too many, or what is no text."""
    try:
        found = parse_qsl(encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except ValueError:
        return None
    given: dict[str, str] = {}
    for name, value in found:
        given.setdefault(name, value)
    return given
