"""What kinds of problems there are: a code, a status, and what they mean to who meets one (RFC 9457, section 3.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..errors import ConfigurationError
from .package_problems import ROWS

_CODE = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*", re.ASCII)
_LONGEST_CODE, _LONGEST_TITLE, _LONGEST_DESCRIPTION = 100, 100, 2_000


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of problem.

    ``code`` is stable, ``room.thing``: lower-case ASCII words between dots. ``title`` is the same each time it occurs
    (section 3.1.3); ``description``, one paragraph of plain text, says what it means and what the client can do. Raises
    :class:`ConfigurationError` for what is none of this, and for a ``status`` that is no error's.
    """

    code: str
    status: int
    title: str
    description: str

    def __post_init__(self) -> None:
        if not (_is_text(self.code, _LONGEST_CODE) and _CODE.fullmatch(self.code)):
            raise ConfigurationError(
                "a problem's code is made of lower-case ASCII words between dots, as in media.not_found, of at most "
                f"{_LONGEST_CODE} characters; got {self.code!r:.120}"
            )
        if type(self.status) is not int or not 400 <= self.status <= 599:
            raise ConfigurationError(f"the problem {self.code} has a status from 400 to 599, got {self.status!r:.40}")
        for name, text, longest in (
            ("title", self.title, _LONGEST_TITLE),
            ("description", self.description, _LONGEST_DESCRIPTION),
        ):
            if not _is_text(text, longest):
                raise ConfigurationError(
                    f"the problem {self.code} has a {name} of 1 to {longest} printable characters in one line"
                )


def _is_text(given: object, longest: int) -> bool:
    return isinstance(given, str) and len(given) <= longest and given.isprintable() and bool(given.strip())


PACKAGE: tuple[ProblemType, ...] = tuple(ProblemType(*row) for row in ROWS)
"""Every type of problem that the package itself answers with."""

TITLES: Mapping[str, str] = MappingProxyType({kind.code: kind.title for kind in PACKAGE})
"""Their titles by code."""
