"""Figures and foreign text as people read them."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Three digits and a unit: ``104 µs``, ``4.92 ms``, ``1.20 s``."""
    for unit, factor in (("µs", 1e6), ("ms", 1e3)):
        if seconds * factor < 999.5:
            return f"{_three(seconds * factor)} {unit}"
    return f"{_three(seconds)} s"


def size(count: int) -> str:
    """Bytes with a binary unit: ``14.5 MiB``."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{_three(value) if unit != 'B' else count} {unit}"


def times(ratio: float) -> str:
    """``47 times``, ``1.4 times``."""
    return f"{_three(ratio)} times" if ratio < 10 else f"{ratio:,.0f} times"


def printable(text: str) -> str:
    """``text`` on one line, without characters that a terminal obeys or that turn the writing round."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in _line(text))


def _line(text: str) -> str:
    return " ".join(text.split())


def _three(value: float) -> str:
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"
