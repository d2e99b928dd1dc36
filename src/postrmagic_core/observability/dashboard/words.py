"""Figures as people read them: sizes, spans, instants, shares; each with its unit."""

from __future__ import annotations

import math
from datetime import UTC, datetime

NOTHING = "\N{EN DASH}"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_THIN = "\N{NARROW NO-BREAK SPACE}"


def _known(value: object) -> float | None:
    """A number that is one; everything else is shown as nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def number(value: object, digits: int | None = None) -> str:
    """``12 345``, ``0.42``, ``1.2 M``: three digits that matter, or ``digits`` after the point."""
    known = _known(value)
    if known is None:
        return NOTHING
    if digits is not None:
        return f"{known:,.{digits}f}".replace(",", _THIN)
    size = abs(known)
    if size >= 1_000_000:
        return f"{known / 1e9:.3g}{_THIN}G" if size >= 1e9 else f"{known / 1e6:.3g}{_THIN}M"
    if size >= 100 or known == int(known):
        return f"{known:,.0f}".replace(",", _THIN)
    return f"{known:.3g}" if size >= 0.001 else "< 0.001"


def size(value: object) -> str:
    """Bytes: ``512 B``, ``1.5 MiB``."""
    known = _known(value)
    if known is None:
        return NOTHING
    power = 0
    while abs(known) >= 1023.5 and power < len(_UNITS) - 1:
        known, power = known / 1024, power + 1
    return f"{known:.0f} {_UNITS[0]}" if power == 0 else f"{known:.3g} {_UNITS[power]}"


def duration(seconds: object) -> str:
    """A span: ``340 µs``, ``12 ms``, ``4.2 s``, ``3 min``, ``5 h``, ``2 d``."""
    known = _known(seconds)
    if known is None:
        return NOTHING
    length = abs(known)
    for least, unit, name in ((_DAY * 2, _DAY, "d"), (_HOUR * 2, _HOUR, "h"), (_MINUTE * 2, _MINUTE, "min")):
        if length >= least:
            return f"{known / unit:.3g} {name}"
    if length >= 1 or length == 0:
        return f"{known:.3g} s"
    return f"{known * 1000:.3g} ms" if length >= 0.001 else f"{known * 1e6:.3g} µs"


def percent(share: object) -> str:
    """A share of one: ``0.42 %``, ``99.98 %``."""
    known = _known(share)
    if known is None:
        return NOTHING
    value = known * 100
    if value in (0, 100):
        return f"{value:.0f} %"
    # What is not all of it is never shown as if it were.
    digits = 3 if 99.9 < value < 100 else 2 if value >= 99 or value < 10 else 1
    return f"{min(value, 99.999) if value < 100 else value:.{digits}f} %"


def ago(instant: object, now: datetime) -> str:
    """``now``, ``12 s ago``, ``3 min ago``, ``in 5 min``."""
    if not isinstance(instant, datetime):
        return NOTHING
    seconds = (now - _aware(instant)).total_seconds()
    length = abs(seconds)
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s")):
        if length >= unit:
            text = f"{int(length // unit)} {name}"
            return f"{text} ago" if seconds > 0 else f"in {text}"
    return "now"


def instant(value: object) -> str:
    """The instant itself in UTC, to the second."""
    return _aware(value).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if isinstance(value, datetime) else NOTHING


def iso(value: object) -> str:
    """For machines: RFC 3339."""
    return _aware(value).isoformat() if isinstance(value, datetime) else ""


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def shown(value: object, unit: str) -> str:
    """A figure of one of the history's units, as it stands in a tile or at a chart."""
    if unit in ("s", "seconds"):
        return duration(value)
    if unit in ("B", "bytes"):
        return size(value)
    if unit in ("share", "ratio"):
        return percent(value)
    text = number(value)
    if text == NOTHING or unit in ("", "count"):
        return text
    return f"{text} /s" if unit == "per second" else f"{text} {unit}"
