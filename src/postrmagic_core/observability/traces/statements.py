"""What a statement's span is called and says: its text without values, read once for each text."""

from __future__ import annotations

import re
from typing import NamedTuple

from ...database.analysis.fingerprint import read

# Texts whose reading is remembered.
_TEXTS = 2000
_TARGET = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+[`\"]?(\w+)", re.IGNORECASE)


class Known(NamedTuple):
    """A statement's name and attributes, by the conventions for databases (stable since semantic conventions 1.33)."""

    name: str
    told: dict[str, str]


class Texts:
    """Every text that ran, as :class:`Known`; ``None`` for what begins and ends transactions or sets up a session."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Known | None] = {}

    def of(self, text: str, system: str, namespace: str) -> Known | None:
        """What is known of ``text`` in the words of ``system``, in the database ``namespace``."""
        key = (text, system, namespace)
        try:
            return self._known[key]
        except KeyError:
            pass
        if len(self._known) >= _TEXTS:
            self._known.clear()
        found = self._known[key] = _read(*key)
        return found


def _read(text: str, system: str, namespace: str) -> Known | None:
    statement = read(text, system)
    if statement.kind == "control":
        return None
    operation = statement.sql.partition(" ")[0].upper()
    target = _TARGET.search(statement.sql)
    summary = operation if target is None else f"{operation} {target[1]}"
    told = {"db.system.name": system, "db.operation.name": operation, "db.query.text": statement.sql}
    told |= {"db.query.summary": summary, "postrmagic.fingerprint": statement.fingerprint}
    if namespace:
        told["db.namespace"] = namespace
    return Known(summary, told)
