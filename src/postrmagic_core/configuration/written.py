"""A version as JSON, and back: strict about its own form, lenient about what a later release may add."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, get_args

from .._crypto import fingerprint as digest
from ..errors import DecodeError
from .interface import Field, Fields, Masked, Print, Source, Value, Version

FORMAT = 1
DIGITS = 12
_PLAIN = (bool, int, float, str)
_SOURCES = frozenset(get_args(Source))


def fingerprint(fields: Fields) -> str:
    """What names these settings: 12 hexadecimal digits of the SHA-256 of their canonical JSON."""
    return _fingerprint(_told(fields))


def as_json(version: Version) -> bytes:
    """The content of a version's file."""
    told = {
        "format": FORMAT,
        "number": version.number,
        "fingerprint": version.fingerprint,
        "first_seen": version.first_seen.isoformat(),
        "release": version.release,
        "package": version.package,
        "keys": list(version.keys),
        "fields": _told(version.fields),
    }
    return json.dumps(told, indent=1, sort_keys=True).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Named:
    """What a file's name and its time tell of a version."""

    number: int
    fingerprint: str
    last_seen: datetime
    seen_by: Mapping[str, datetime]


def from_json(content: bytes, named: Named) -> Version:
    """The version that the ``content`` of a file says; :class:`DecodeError` if it is none, or not the one of its name.

    One of a later format is taken as far as it is understood; the fingerprint is then not checked.
    """
    try:
        told = json.loads(content)
        newer = told["format"] > FORMAT
        read = {str(name): _field(one, newer) for name, one in told["fields"].items()}
        fields = {name: one for name, one in read.items() if one is not None}
        version = Version(
            number=told["number"],
            fingerprint=told["fingerprint"],
            first_seen=datetime.fromisoformat(told["first_seen"]).astimezone(UTC),
            last_seen=named.last_seen,
            release=str(told.get("release", "")),
            package=str(told.get("package", "")),
            keys=tuple(map(str, told.get("keys", ()))),
            fields=fields,
            seen_by=named.seen_by,
            newer=newer,
        )
        whole = newer or _fingerprint(told["fields"]) == version.fingerprint
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise DecodeError(f"it is no version of settings ({type(error).__name__})") from None
    if (version.number, version.fingerprint) != (named.number, named.fingerprint):
        raise DecodeError("its name is of another version than its content")
    if not whole:
        raise DecodeError("its content was changed: it does not have the fingerprint of its name")
    return version


def _told(fields: Fields) -> dict[str, Any]:
    return {name: {"value": encoded(one.value), "from": one.source} for name, one in fields.items()}


def _fingerprint(told: object) -> str:
    return digest(json.dumps(told, sort_keys=True, separators=(",", ":")).encode())[:DIGITS]


def _field(told: Any, newer: bool) -> Field | None:
    """``None`` for what only a later release understands."""
    if told["from"] in _SOURCES:
        try:
            return Field(_decoded(told["value"]), told["from"])
        except (ValueError, KeyError, TypeError, AttributeError):
            if not newer:
                raise
    elif not newer:
        raise ValueError("no source")
    return None


def encoded(value: Value) -> Any:
    """A value in JSON's types. ``$`` begins what JSON has no type for; a setting's own name that does gets another."""
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, Masked):
        parts = [part if isinstance(part, str) else dict(part.prints) for part in value.parts]
        return {"$masked": parts} if value.text else {"$masked": parts, "$text": False}
    if isinstance(value, Mapping):
        return {f"${name}" if name[:1] == "$" else name: encoded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [encoded(one) for one in value]
    if isinstance(value, date | time):
        return {f"${type(value).__name__}": value.isoformat()}
    return value


_TIMES: dict[str, type[date | time]] = {"$datetime": datetime, "$date": date, "$time": time}


def _decoded(told: Any) -> Value:
    if isinstance(told, list):
        return [_decoded(one) for one in told]
    if not isinstance(told, dict):
        return told
    if "$masked" in told:
        parts = [part if isinstance(part, str) else Print(_texts(part)) for part in told["$masked"]]
        return Masked(tuple(parts), text=bool(told.get("$text", True)))
    for name, kind in _TIMES.items():
        if name in told:
            return kind.fromisoformat(told[name])
    if any(name[:1] == "$" and name[:2] != "$$" for name in told):
        raise ValueError("a value of a kind that is not known")
    return {name[1:] if name[:1] == "$" else name: _decoded(one) for name, one in told.items()}


def _texts(told: dict[Any, Any]) -> dict[str, str]:
    if not all(isinstance(one, str) for one in told.values()):
        raise ValueError("no fingerprint")
    return dict(told)
