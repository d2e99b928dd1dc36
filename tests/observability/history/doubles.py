"""The history without each of its guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

from typing import Final

NO_END: Final = 10**18
