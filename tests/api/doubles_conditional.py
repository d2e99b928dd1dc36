"""Readers of preconditions that promise less, to show that the tests notice."""

from __future__ import annotations

import re
from typing import Any

from postrmagic_core.api.conditional import _Tags


def weakly(self: Any, etag: str | None) -> bool:
    """The weak comparison in the place of the strong one."""
    return _Tags.has_weakly(self, etag)


def as_far_as_it_goes(_: object, text: str) -> Any:
    """Take what looks like a tag, and pass over what does not."""
    return _Tags(strong=frozenset(re.findall(r'"[^"]*"', text)))
