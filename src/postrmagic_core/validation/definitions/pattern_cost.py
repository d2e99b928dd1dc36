"""What compiling a pattern costs, before it is compiled. Pure, linear."""

from __future__ import annotations

import re

# An escape, a class in brackets, the head of a group, a counted repetition, or any other character.
_TOKEN = re.compile(
    r"\\[pP]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|\[:[a-z^]{0,16}:\]|[^\]\\])*\]|\(\?.?|\{[0-9]*(?:,[0-9]*)?\}|.", re.DOTALL
)
_UNICODE = re.compile(r"\\[wWpP]")  # hundreds of ranges of characters, each of several bytes
_RANGES = re.compile(r"\\[dDsSbB]")
_UNICODE_COST = 400
_RANGES_COST = 70
_WIDE_COST = 10
_LONGEST_COUNT = 6
_ENDLESS = 1_000_000


def cost(pattern: str) -> int | None:
    """About how many states the pattern has once its repetitions are written out; ``None`` where that cannot be said.

    That is for flags, look-around and named groups, which begin with ``(?`` and not with ``(?:``.
    """
    totals, last = [0], 0
    for found in _TOKEN.finditer(pattern):
        piece = found.group()
        if piece.startswith("(?") and piece != "(?:":
            return None
        if piece.startswith("("):
            totals.append(0)
        elif piece == ")" and len(totals) > 1:
            last = totals.pop()
            totals[-1] += last
        elif piece.startswith("{") and piece.endswith("}"):
            times = _times(piece)
            totals[-1] += last * (times - 1)
            last *= times
        elif piece not in {"*", "+", "?", "|"}:
            last = _weight(piece)
            totals[-1] += last
    return sum(totals)


def _times(piece: str) -> int:
    counts = [count for count in piece[1:-1].split(",") if count]
    if any(len(count) > _LONGEST_COUNT for count in counts):
        return _ENDLESS
    return max([1, *map(int, counts)])


def _weight(piece: str) -> int:
    if _UNICODE.search(piece):
        return _UNICODE_COST
    if _RANGES.search(piece):
        return _RANGES_COST
    return _WIDE_COST if piece == "." or piece.startswith("[^") or not piece.isascii() else 1
