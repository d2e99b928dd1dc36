"""Which of the known languages a client is answered in, by its ``Accept-Language`` (RFC 9110 12.5.4, RFC 4647 3.4)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import UsageError

_READ = 1_024
_RANGES = 32
# A language range (RFC 4647, section 2.2), and its weight (RFC 9110, section 12.4.2).
_RANGE = re.compile(
    r"[ \t]*((?:[a-z]{1,8}|\*)(?:-(?:[a-z0-9]{1,8}|\*)){0,7})"
    r"[ \t]*(?:;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?",
    re.ASCII | re.IGNORECASE,
)
_ANY = "*"


def negotiate(accept_language: str | None, known: Sequence[str]) -> str:
    """The one of ``known`` that fits ``accept_language`` best; the first one where none fits or nothing was asked.

    The heaviest range comes first. ``de-AT`` finds ``de-AT``, then ``de``; ``de`` does not find ``de-AT``. ``*`` finds
    the first language that no other range names. What has weight 0 is not answered while there is another. Whatever is
    no range is passed over; the first 1,024 characters and 32 ranges count. Raises :class:`UsageError` where ``known``
    is empty.
    """
    if not known:
        raise UsageError('negotiate() needs the languages there are, the default first, such as ["en", "de"]')
    wanted, refused = _ranges(accept_language or "")
    acceptable = {tag.lower(): tag for tag in reversed(known) if not _refuses(tag.lower(), wanted, refused)}
    for asked in wanted:
        if found := _any_but(wanted, known, acceptable) if asked == _ANY else _look_up(asked, acceptable):
            return found
    return next((tag for tag in known if tag.lower() in acceptable), known[0])


def _ranges(header: str) -> tuple[list[str], set[str]]:
    """The ranges in lower case, the heaviest first, and those of weight 0."""
    elements = header[: _READ + 1].split(",")
    if len(header) > _READ:
        elements.pop()  # cut in half, it might name another language
    weighed: list[tuple[float, str]] = []
    for element in elements[:_RANGES]:
        if found := _RANGE.fullmatch(element):
            weighed.append((float(found[2] or 1), found[1].lower()))
    weighed.sort(key=lambda each: -each[0])  # stable: of equal weight the first comes first
    wanted = list(dict.fromkeys(name for weight, name in weighed if weight))
    return wanted, {name for weight, name in weighed if not weight}


def _refuses(tag: str, wanted: Sequence[str], refused: set[str]) -> bool:
    """Whether the narrowest range that holds ``tag`` has weight 0."""
    while tag:
        if tag in refused or tag in wanted:
            return tag in refused
        tag = tag.rpartition("-")[0]
    return False


def _look_up(asked: str, acceptable: dict[str, str]) -> str | None:
    """RFC 4647, section 3.4: less and less of the range, until it is a language there is."""
    subtags = [subtag for subtag in asked.split("-") if subtag != _ANY] if not asked.startswith(_ANY) else []
    while subtags:
        if found := acceptable.get("-".join(subtags)):
            return found
        subtags.pop()
        if subtags and len(subtags[-1]) == 1:  # it only introduced what was taken away
            subtags.pop()
    return None


def _any_but(named: Sequence[str], known: Sequence[str], acceptable: dict[str, str]) -> str | None:
    return next((tag for tag in known if tag.lower() in acceptable and tag.lower() not in named), None)
