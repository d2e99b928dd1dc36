"""How a call's time grows."""

from __future__ import annotations

from tests.validation.conftest import growth

__all__ = ["growth"]
