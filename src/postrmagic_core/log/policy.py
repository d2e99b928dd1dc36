"""What may not be written down, and what replaces it. Pure: it never changes what it is given.

A value is masked for its key (``password``, ``api_key``, …), its type (``SecretStr``) or its look (credentials in a
URL, ``Bearer …``, a JSON Web Token, a private key, ``password=…`` in a text). Everything else becomes plain JSON
values, bounded in depth, number and length (OWASP ASVS 16.2.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .looks import MASK, STEPS

_INFINITY = float("inf")
_PLAIN = frozenset({str, int, float})
_SIMPLE = _PLAIN | {bool, type(None)}

# How SQLAlchemy's own loggers show the values of a statement and of its rows.
_BOUND = frozenset({"_repr_params", "_repr_row"})

DEPTH = 6
ITEMS = 100
NODES = 2000
TEXT = 8192  # characters
_NOTE = 40  # of them for how many more there were

_SECRET_PARTS = re.compile(
    r"passw|passphrase|pwd|secret|token|authoriz|cookie|apikey|privatekey|accesskey|signingkey|encryptionkey"
    r"|credential|sessionid|signature|bearer|csrf|jwt"
)
_SECRET_NAMES = frozenset({"auth", "pass", "pin", "otp", "totp", "sid", "assertion"})
_NOT_LETTERS = re.compile(r"[^a-z0-9]")


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a key, header, cookie or query parameter of this name usually carries a secret."""
    plain = _NOT_LETTERS.sub("", name.lower())
    return plain in _SECRET_NAMES or _SECRET_PARTS.search(plain) is not None


_URL_END = re.compile(r"""[\s"'<>]""")
# Every step needs one of these: looking for them costs a tenth of trying the steps.
_MARKED = re.compile(
    "://|passw|passphrase|pwd|secret|token|key|credential|session|signature|csrf|jwt|authorization|cookie|bearer"
    "|negotiate|basic|digest|eyj|pm[crs]?_|\\[parameters|entry '|value: '"
    "|(?:auth|pass|pin|otp|sid|assertion)[\"'\\\\=]"
).search


def _marked(text: str) -> bool:
    """Whether a pattern may find something in ``text`` (in lower case)."""
    # And every marker is near one of these: a search for words costs five times as much as looking for all of them.
    if (
        "=" in text
        or ":" in text
        or "'" in text
        or "bearer" in text
        or "basic" in text
        or "digest" in text
        or "negotiate" in text
        or "eyj" in text
        or "pm" in text
        or "--" in text
        or "<" in text
        or '"' in text
    ):
        return _MARKED(text) is not None
    return False


def scrub(text: str) -> str:
    """``text``, at most 8,192 characters of it, with whatever looks like a secret masked."""
    if len(text) > TEXT:
        text = _cut(text)
    lower = text.lower()
    if not _marked(lower):
        return text
    for needed, step in STEPS:
        if needed in lower:
            text = step(text)
    return text


def _cut(text: str) -> str:
    """The head of a long text, ended between words: half a secret would no longer look like one."""
    head = text[: TEXT - _NOTE]
    space = max(head.rfind(" ", TEXT - 1024), head.rfind("\n", TEXT - 1024))
    kept = head[:space] if space > 0 else _ended(head)
    return f"{kept} [{len(text) - len(kept)} more characters]"


def _ended(head: str) -> str:
    """A compact text without what comes after its last comma or quote, and without the URL it may end in."""
    kept = head[: max(map(head.rfind, "\t\r\n ,;\"'")) + 1]
    url = kept.rfind("://", TEXT - 2048)
    return kept if url < 0 or _URL_END.search(kept, url) else kept[: url + 3]


def _number(value: float) -> float | str:
    if type(value) is int:
        return value if -(2**63) <= value < 2**64 else "[large number]"
    return value if abs(value) < _INFINITY else str(value)  # NaN and infinities are no JSON


@dataclass(slots=True)
class _Budget:
    nodes: int = NODES


class Redactor:
    """Makes events safe to write. ``names`` are further key names, whatever their case and punctuation.

    No record :meth:`passes` that has a field of a ``reserved`` name.
    """

    def __init__(self, names: Iterable[str] = (), reserved: AbstractSet[str] = frozenset()) -> None:
        self._reserved = reserved
        self._names = frozenset(_NOT_LETTERS.sub("", name.lower()) for name in names)
        self._key = lru_cache(maxsize=4096)(lambda name: (scrub(name), self.hides(name)))
        self._ordinary: set[str] = set()

    def hides(self, name: str) -> bool:
        """Whether a value under this key is masked."""
        return is_secret_name(name) or (bool(self._names) and _NOT_LETTERS.sub("", name.lower()) in self._names)

    def clean(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """A new mapping of plain JSON values that holds no secret of ``event``."""
        cleaned = self._flat(event) if len(event) <= ITEMS else None
        return self._mapping(event, _Budget(), DEPTH) if cleaned is None else cleaned

    def _flat(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        """The event, if all its values are plain and no text has a marker, which one look at all of them tells."""
        cleaned: dict[str, Any] = {}
        texts = []
        for key, value in event.items():
            name, hidden = self._key(key)
            kind = type(value)
            if value is None or kind is bool:
                cleaned[name] = value
            elif kind not in _PLAIN or (kind is str and len(value) > TEXT):
                return None
            elif hidden:
                cleaned[name] = MASK
            elif kind is str:
                cleaned[name] = value
                texts.append(value)
            else:
                cleaned[name] = _number(value)
        return None if _marked("\n".join(texts).lower()) else cleaned

    def passes(self, fields: Mapping[str, Any], *texts: str) -> bool:
        """Whether :meth:`clean` would leave all of it as it is: then there is nothing to copy. Runs no foreign code.

        Integers may be larger than JSON has room for.
        """
        if not self._ordinary.issuperset(fields) and not self._learn(fields):
            return False
        shown = [*texts]
        for value in fields.values():
            kind = type(value)
            if kind is str:
                shown.append(value)
            elif kind is float:
                if not -_INFINITY < value < _INFINITY:
                    return False
            elif kind is not int and kind not in _SIMPLE:
                return False
        together = "\n".join(shown)
        return len(together) <= TEXT and len(fields) <= ITEMS and not _marked(together.lower())

    def _learn(self, names: Iterable[str]) -> bool:
        """Whether all ``names`` may be shown as they are."""
        for name in names:
            if type(name) is not str or name in self._reserved or self._key(name) != (name, False):
                return False
        if len(self._ordinary) > NODES:
            self._ordinary.clear()
        self._ordinary.update(names)
        return True

    def argument(self, value: Any) -> Any:
        """A ``%``-argument of a message: containers are cleaned, anything else is formatted as it is, then scrubbed."""
        if type(value) in _SIMPLE:
            return value
        if isinstance(value, (Mapping, list, tuple, AbstractSet)) or hasattr(type(value), "_mapping"):
            return self._value(value, _Budget(), DEPTH)
        if type(value).__name__ in _BOUND and type(value).__module__ == "sqlalchemy.sql.util":
            return MASK
        return value

    def _mapping(self, mapping: Mapping[Any, Any], budget: _Budget, depth: int) -> dict[str, Any]:
        cleaned: dict[str, Any] = {}
        for count, (key, value) in enumerate(list(mapping.items())):
            if count == ITEMS:
                cleaned["…"] = f"[{len(mapping) - ITEMS} more]"
                break
            name, hidden = self._key(key if isinstance(key, str) else self._text(key))
            # None and booleans tell whether there was a secret, which helps, and never which.
            masked = hidden and not (value is None or isinstance(value, bool))
            cleaned[name] = MASK if masked else self._value(value, budget, depth - 1)
        return cleaned

    def _value(self, value: Any, budget: _Budget, depth: int) -> Any:
        budget.nodes -= 1
        kind = type(value)
        if kind is str:
            return scrub(value)
        if value is None or kind is bool:
            return value
        if kind in _PLAIN:
            return _number(value)
        try:
            return self._container(value, budget, depth)
        except Exception as failure:  # a foreign container or __repr__ must not take the record with it
            return f"[unprintable {kind.__name__}: {type(failure).__name__}]"

    def _container(self, value: Any, budget: _Budget, depth: int) -> Any:
        if hasattr(type(value), "get_secret_value"):
            return MASK
        if isinstance(value, tuple) or hasattr(type(value), "_mapping"):  # a row, or a tuple with names
            named: Any = getattr(value, "_asdict", None)
            value = value if named is None else named()
        if isinstance(value, (Mapping, list, tuple, AbstractSet)):
            if depth <= 0 or budget.nodes <= 0:
                return "[too deep]" if depth <= 0 else "[too large]"
            if isinstance(value, Mapping):
                return self._mapping(value, budget, depth)
            items = list(value)
            if len(items) == 2 and isinstance(items[0], (str, bytes)) and self.hides(self._text(items[0])):
                # A header, a cookie or a parameter, as ASGI and clients list them.
                return [self._text(items[0]), items[1] if items[1] is None or isinstance(items[1], bool) else MASK]
            shown = [self._value(item, budget, depth - 1) for item in items[:ITEMS]]
            return shown if len(items) <= ITEMS else [*shown, f"[{len(items) - ITEMS} more]"]
        return self._text(value)

    def _text(self, value: Any) -> str:
        try:
            if isinstance(value, str):
                return scrub(str.__str__(value))
            if isinstance(value, (bytes, bytearray, memoryview)):
                return scrub(bytes(value[: TEXT + 1]).decode("utf-8", "backslashreplace"))
            return scrub(str(value))
        except Exception as failure:  # see _value
            return f"[unprintable {type(value).__name__}: {type(failure).__name__}]"
