"""What each shipped rule keeps and refuses: examples of the standards that define them, and of who attacks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from postrmagic_core.testing.contracts.rule import Pump
from postrmagic_core.validation import Validator


@dataclass(frozen=True)
class Vector:
    """One rule: the annotation, how documentation writes it, its name and parameters in NAMED, its examples."""

    name: str
    rule: Any
    shown: str
    named: str
    valid: Sequence[tuple[Any, Any]]
    invalid: Sequence[tuple[Any, str]]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    hostile: Sequence[Pump] = ()


def checks(annotation: Any) -> Validator[Any]:
    """A validator of an annotation, which type checkers cannot follow."""
    return Validator(annotation)


def same(*values: Any) -> list[tuple[Any, Any]]:
    """Valid inputs that are kept as they are."""
    return [(value, value) for value in values]


def each(code: str, *values: Any) -> list[tuple[Any, str]]:
    """Invalid inputs of one code."""
    return [(value, code) for value in values]
