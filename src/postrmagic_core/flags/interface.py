"""For whom a feature is on, as a value; what a flag is now; and why it is on or off for somebody."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Literal, Protocol, TypeAlias

from .._protocols import UnitLike

RULE_BYTES = 3500
"""Bytes of a rule as JSON: with the one before it, it fits into a row of the audit log."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")
_SETS = {"users": 190, "roles": 64, "off_for": 190}
_NOTE = 500
_KEY = 64
_ACTOR = 190

Source: TypeAlias = Literal["database", "settings", "nowhere"]
"""Where a flag's rule comes from; ``nowhere``: nobody has declared it."""

Reason: TypeAlias = Literal["off_for", "user", "role", "everybody", "bucket", "nobody", "beyond", "unknown"]
"""What decided: the user is in ``off_for``; they, or a role of theirs, are named; the percentage is 100; their bucket
is below it; nobody is logged in; their bucket is beyond it; or there is no such flag."""


@dataclass(frozen=True, slots=True)
class Rule:
    """For whom a feature is on: for ``users`` and ``roles`` by name, and for ``percent`` of all others.

    ``percent`` is 0 to 100, in hundredths at the finest. For a user in ``off_for`` it is off whatever else holds. A
    role counts as it was granted; what it inherits does not. ``note`` is for whoever reads it later.

    :class:`ValueError` for what cannot be one: a percentage of another kind or range, a name that is empty or too long,
    a user who is named as both on and off, and more than 3,500 bytes of JSON, which is about 90 users named by UUID.
    Whoever needs more gives those users a role.
    """

    percent: float = 0.0
    users: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    off_for: frozenset[str] = frozenset()
    note: str = ""
    limit: int = field(init=False, compare=False, repr=False)
    """The percentage in hundredths: the first bucket that is off."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "limit", _hundredths(self.percent))
        object.__setattr__(self, "percent", self.limit / 100)
        for name, max_bytes in _SETS.items():
            object.__setattr__(self, name, _names(name, getattr(self, name), max_bytes))
        _check_note(self.note)
        both = sorted(self.users & self.off_for)
        if both:
            raise ValueError(f"user {both[0]!r} is named in users and in off_for: take one of them out")
        size = len(self.encoded())
        if size > RULE_BYTES:
            raise ValueError(f"the rule has {size:,} bytes, more than {RULE_BYTES:,}: name a role instead of its users")

    @classmethod
    def of(cls, given: object) -> Rule:
        """The rule that a mapping of settings, or of JSON, says; :class:`ValueError` if it is none."""
        if not isinstance(given, Mapping):
            raise ValueError(f'expected a mapping such as {{"percent": 10}}, got {type(given).__name__}')
        known = {each.name for each in fields(cls) if each.init}
        for name in given:
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
                raise ValueError(f"a rule has no {str(name)[:40]!r}; {hint}")
        return cls(**given)

    def as_json(self) -> dict[str, Any]:
        """What :meth:`of` reads: only what is said, its lists sorted."""
        said: dict[str, Any] = {"percent": self.percent}
        said |= {name: sorted(getattr(self, name)) for name in _SETS if getattr(self, name)}
        return said | ({"note": self.note} if self.note else {})

    def encoded(self) -> bytes:
        """The same as a row keeps it; equal rules are equal bytes."""
        return json.dumps(self.as_json(), sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag as the database has it now: the ``rule`` that counts, and where it comes from.

    ``configured`` is what settings say, for which :meth:`Flags.clear` makes room. ``changed_at`` and ``changed_by`` are
    of the row, if there is one. ``fault`` says why a row that is there does not count.
    """

    name: str
    rule: Rule
    source: Source
    configured: Rule | None = None
    changed_at: datetime | None = None
    changed_by: str | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a flag is on or off for somebody; ``str()`` is a sentence.

    ``bucket`` is where the user stands among the percentages, 0 to 99.99; ``None`` for nobody.
    """

    name: str
    user_id: str | None
    on: bool
    reason: Reason
    rule: Rule | None
    source: Source
    bucket: float | None

    def __str__(self) -> str:
        who = "nobody" if self.user_id is None else f"user {shown(self.user_id)}"
        return f"{shown(self.name)} is {'on' if self.on else 'off'} for {who}: {self.because}"

    @property
    def because(self) -> str:
        """The reason in words."""
        percent = 0.0 if self.rule is None else self.rule.percent
        return {
            "off_for": "the user is in off_for",
            "user": "the user is named",
            "role": "a role of theirs is named",
            "everybody": "it is on for everybody",
            "bucket": f"their bucket {self.bucket} is below {percent:g} percent",
            "nobody": f"who is not logged in has it at 100 percent alone, it is at {percent:g}",
            "beyond": f"their bucket {self.bucket} is not below {percent:g} percent",
            "unknown": "there is no such flag, in settings or database",
        }[self.reason]


class Audit(Protocol):
    """Where changes are noted: :class:`postrmagic_core.security.access.AuditLog` is one."""

    def record(
        self,
        action: str,
        *,
        actor: str | None,
        subject: str | None,
        detail: Mapping[str, object] | None = None,
        tx: UnitLike | None = None,
    ) -> object:
        """Write it, in ``tx``: it stays if and only if what it tells of does."""
        ...


def check_name(name: object) -> str:
    """The flag's name; :class:`ValueError` unless it is 1 to 64 of ``a-z``, ``0-9``, ``_`` and ``-``."""
    if isinstance(name, str) and _NAME.match(name):
        return name
    got = f"{shown(name, 80)!r}" if isinstance(name, str) else type(name).__name__
    raise ValueError(f"expected as a flag's name 1 to 64 of a-z, 0-9, '_' and '-', the first a-z or 0-9; got {got}")


def check_actor(actor: object) -> None:
    """:class:`ValueError` unless it is ``None``, or a text of 1 to 190 bytes, which the row and the audit log take."""
    try:
        fits = actor is None or (isinstance(actor, str) and 0 < len(actor.encode()) <= _ACTOR)
    except UnicodeEncodeError:
        fits = False
    if not fits:
        got = repr(shown(actor, 40)) if isinstance(actor, str) else type(actor).__name__
        raise ValueError(f"expected as actor a text of 1 to {_ACTOR} bytes, or None for nobody; got {got}")


def check_key(name: object) -> str:
    """The name of a row, which somebody else may have written; :class:`ValueError` for what can be none."""
    return name if isinstance(name, str) and 0 < len(name.encode()) <= _KEY else check_name(name)


def shown(text: str, max_length: int = 200) -> str:
    """A text from outside, fit for one line of a log or a terminal."""
    cut = text[:max_length]
    return cut if cut.isprintable() else ascii(cut)[1:-1]


def _hundredths(percent: object) -> int:
    # A bool is an int, and NaN is in no range; an int may be too large for a float.
    if isinstance(percent, bool) or not isinstance(percent, (int, float)) or not 0 <= percent <= 100:
        got = shown(repr(percent), 40) if isinstance(percent, (float, str, bool)) else type(percent).__name__
        raise ValueError(f"expected as percent a number of 0 to 100, got {got}")
    hundredths = round(percent * 100)
    if abs(percent * 100 - hundredths) > 1e-6:
        raise ValueError(f"expected as percent at most two decimals, as in 0.25; got {percent}")
    return hundredths


def _check_note(note: object) -> None:
    if not isinstance(note, str) or len(note) > _NOTE or not note.isprintable():
        raise ValueError(f"expected as note a text of at most {_NOTE} printable characters")


def _names(what: str, given: object, max_bytes: int) -> frozenset[str]:
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        raise ValueError(f'expected as {what} a list of texts, as in ["7", "8"]; got {type(given).__name__}')
    found = frozenset(map(_text, given))
    for name in found:
        size = -1 if name is None else len(name.encode("utf-8", "surrogatepass"))
        if name is None or not 0 < size <= max_bytes:
            got = "something else" if name is None else f"{size:,} bytes"
            raise ValueError(f"expected in {what} texts of 1 to {max_bytes} bytes; got {got}")
    return frozenset(name for name in found if name is not None)


def _text(name: object) -> str | None:
    return name if isinstance(name, str) else None
