"""How many examples a property is tried on: few each time, many in the slow proofs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

F = TypeVar("F", bound=Callable[..., Any])


def examples(few: int, many: int) -> Callable[[F], F]:
    """Give a test ``examples``: ``few`` of them, and ``many`` where the slow proofs run."""
    slow = pytest.param(many, marks=[pytest.mark.soak, pytest.mark.timeout(1_200)], id="many")
    return pytest.mark.parametrize("examples", [pytest.param(few, id="few"), slow])


def trying(examples: int) -> settings:
    """The settings of a property inside such a test: its fixtures are the same for every example."""
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
