"""Output without each of its guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

import json
from typing import Any

from postrmagic_core.validation.responses import Responses


def plain(text: object) -> str:
    """The text as it is."""
    return str(text)


def quoted(text: object) -> str:
    """A string literal of whoever thinks of quotes and backslashes alone."""
    return "'{}'".format(str(text).replace("\\", "\\\\").replace("'", "\\'"))


def plain_json(value: object) -> str:
    """JSON that does not know where it goes."""
    return json.dumps(value)


def all_of_it(self: Responses[Any], value: object) -> bytes:
    """Everything that a value holds, declared or not."""
    return json.dumps(value, default=lambda one: dict(getattr(one, "_mapping", None) or vars(one))).encode()
