"""Who holds a semaphore, as its Scripts keep them: a line for each, ``microsecond at which it ends SPACE owner``."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LINE = re.compile(rb"(\d+) ([^\n]*)\n")


def holders(value: bytes | None) -> list[tuple[int, bytes]]:
    """When each ends, and its owner, in the order they came."""
    return [(int(ends), owner) for ends, owner in _LINE.findall(value or b"")]


def text(held: Iterable[tuple[int, bytes]]) -> bytes:
    """The value that says so."""
    return b"".join(b"%d %s\n" % holder for holder in held)
