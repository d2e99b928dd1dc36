"""What every contract lets an adapter say: which of its rows do not apply, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest


class Applicable:
    """Tests marked ``promise(row)`` are skipped, with the reason, where ``not_applicable`` names their row.

    ``rows`` are the contract's; another name in ``not_applicable`` is refused, so that no promise is dropped by a typo.
    """

    rows: ClassVar[tuple[str, ...]] = ()
    not_applicable: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture(autouse=True)
    def _applicable(self, request: pytest.FixtureRequest) -> None:
        unknown = set(self.not_applicable) - set(self.rows)
        if unknown:
            raise ValueError(f"not_applicable names {sorted(unknown)}: rows are {self.rows}")
        marked = request.node.get_closest_marker("promise")
        if marked is not None and marked.args[0] in self.not_applicable:
            pytest.skip(f"{marked.args[0]} does not apply: {self.not_applicable[marked.args[0]]}")
