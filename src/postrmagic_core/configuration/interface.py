"""What a version of the settings is made of. Nothing here holds a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Source = Literal["environment", "secret", "file", "default", "code"]
"""Where a value is from; ``secret``: a file of its own; ``code``: the application gave it."""

Verdict = Literal["same", "changed", "unknown"]
"""How two values compare; ``unknown``: secrets whose fingerprints were made under different keys."""


@dataclass(frozen=True, slots=True)
class Print:
    """A secret's fingerprints by key: for the id of each key of the ring, 12 hexadecimal digits of the secret's MAC.

    Empty where there was no key: then nothing can be told of the secret.
    """

    prints: Mapping[str, str]

    def __str__(self) -> str:
        return f"[{next(iter(self.prints.values()), 'secret')}]"


@dataclass(frozen=True, slots=True)
class Masked:
    """A value with secrets in it: its parts in order, texts as they are and fingerprints in place of secrets.

    ``text`` is false for a number or truth value that is secret: what the fingerprint is of is then its JSON.
    """

    parts: tuple[str | Print, ...]
    text: bool = True

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


Value = Any
"""``None``, a truth value, number, text, instant or :class:`Masked`; or a list of such, or a mapping by text."""


@dataclass(frozen=True, slots=True)
class Field:
    """The value of one setting and where it is from."""

    value: Value
    source: Source


Fields = Mapping[str, Field]
"""Settings by ``room.field``."""


@dataclass(frozen=True, slots=True)
class Version:
    """Settings that were in force, from the first to the last time that a process began with them.

    ``fingerprint`` is of the values and of where they are from. ``release`` is the application's, ``package`` the
    version of this package. ``keys`` are the ids of the keys under which secrets have fingerprints, newest first.
    ``seen_by`` has when each kind of process began with them last. ``newer``: a later version of this package wrote the
    file, and what is here is what this one understands.
    """

    number: int
    fingerprint: str
    first_seen: datetime
    last_seen: datetime
    release: str
    package: str
    keys: tuple[str, ...]
    fields: Fields
    seen_by: Mapping[str, datetime] = field(default_factory=dict)
    newer: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """The versions, oldest first, and of each file that is none what is wrong with it."""

    versions: tuple[Version, ...]
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One setting in two versions; ``None`` where a version does not have it."""

    name: str
    old: Field | None
    new: Field | None
    verdict: Verdict
