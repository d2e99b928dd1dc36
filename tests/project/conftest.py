"""What the tests of the project share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parsed import uncollected


@pytest.fixture(scope="module", autouse=True)
def _trees_are_not_looked_through() -> Iterator[None]:
    """The package's trees are kept: to look through them for garbage takes twice the time of making them."""
    with uncollected():
        yield
