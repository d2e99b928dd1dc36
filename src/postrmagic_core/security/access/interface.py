"""What a role is, how a decision is explained, and what the audit log tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from ..._protocols import Identity

PolicyFunction: TypeAlias = "Callable[[Identity, object], bool | None]"
"""``policy(who, obj)``: ``True`` allows, ``False`` denies, ``None``: no opinion. Pure: it neither waits nor writes."""

OwnerFunction: TypeAlias = "Callable[[object], object]"
"""The owner's id, of an object: a text, an integer, a UUID, or ``None`` where nobody owns it."""

Effect: TypeAlias = Literal["allows", "denies", "silent", "told"]


@dataclass(frozen=True, slots=True)
class Role:
    """A role, as data: what it allows and denies, and the roles whose permissions it has too.

    A permission is ``resource:action`` (``media:edit``); in place of either stands ``*`` for all of them. With ``:own``
    behind it, it holds for objects that belong to who asks. ``keep_one``: it is never revoked from its last holder.
    """

    name: str
    inherits: Sequence[str] = ()
    allow: Sequence[str] = ()
    deny: Sequence[str] = ()
    keep_one: bool = False
    about: str = ""

    def __post_init__(self) -> None:
        for field in ("inherits", "allow", "deny"):
            given = getattr(self, field)
            if isinstance(given, str):
                raise TypeError(f"role {self.name}: {field} is a list of texts, got the text {given!r}: [{given!r}]")
            object.__setattr__(self, field, tuple(given))


@dataclass(frozen=True, slots=True)
class User:
    """An :class:`Identity`: a user and the roles they had when it was made."""

    id: str
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at: what it is, what it has to say, and what stands beneath it."""

    text: str
    effect: Effect = "silent"
    below: tuple[Step, ...] = ()

    def lines(self, first: str = "", rest: str = "") -> Iterator[str]:
        """The step and those beneath it, drawn as a tree; ``first`` and ``rest`` stand before its lines."""
        yield f"{first}{self.text}"
        for index, step in enumerate(self.below):
            last = index == len(self.below) - 1
            yield from step.lines(f"{rest}{'└── ' if last else '├── '}", f"{rest}{'    ' if last else '│   '}")


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with all that was looked at; ``str()`` draws it. ``deciding`` is the rule that decided, in words."""

    user_id: str | None
    permission: str
    allowed: bool
    deciding: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return "\n".join(Step(self.sentence, below=self.steps).lines())

    @property
    def sentence(self) -> str:
        """The decision in one line."""
        who = "nobody" if self.user_id is None else f"user {shown(self.user_id)}"
        return f"{who} {'may' if self.allowed else 'may not'} {shown(self.permission)}: {self.deciding}"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row of the audit log: ``actor`` did ``action`` to ``subject``, with this ``outcome``."""

    id: str
    recorded_at: datetime
    actor: str | None
    action: str
    subject: str | None
    outcome: str
    detail: Mapping[str, object]


ROLE_BYTES = 64


def shown(text: str, max_length: int = 200) -> str:
    """A text from outside, fit for one line of a log or a terminal."""
    cut = text[:max_length]
    return cut if cut.isprintable() else ascii(cut)[1:-1]
