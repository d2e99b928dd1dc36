"""Guards of rules between fields, groups and definitions, turned off."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def no_rules(*_: Any, **__: Any) -> None:
    """No rule between fields is run."""


def always(*_: Any, **__: Any) -> bool:
    """Whatever is asked is so."""
    return True


def any_group(groups: Collection[str], known: Collection[str]) -> tuple[frozenset[str], ...]:
    """One phase with all groups, known or not."""
    return (frozenset(groups),)


def nothing_refused(*_: Any, **__: Any) -> None:
    """No rule is refused where it stands."""
