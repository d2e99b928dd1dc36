"""How two versions compare. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .interface import Change, Field, Fields, Masked, Print, Value, Verdict, Version


def changes(old: Fields, new: Fields) -> list[Change]:
    """What differs between two versions, or cannot be compared, by name; a value that moved elsewhere differs too."""
    found = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        verdict = verdict_of(before, after)
        if verdict != "same" or moved(before, after):
            found.append(Change(name, before, after, verdict))
    return found


def moved(old: Field | None, new: Field | None) -> bool:
    """Whether the value is set in another place than it was."""
    return old is not None and new is not None and old.source != new.source


def verdict_of(old: Field | None, new: Field | None) -> Verdict:
    """How the values of two fields compare; one that is missing is changed."""
    if old is None or new is None:
        return "same" if old is new else "changed"
    return compared(old.value, new.value)


def compared(old: Value, new: Value) -> Verdict:
    """How two values compare, as far as their fingerprints can tell."""
    if isinstance(old, Masked) and isinstance(new, Masked):
        alike = len(old.parts) == len(new.parts) and old.text == new.text
        return _worst(map(_parts, old.parts, new.parts)) if alike else "changed"
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        alike = old.keys() == new.keys()
        return _worst(compared(old[name], new[name]) for name in old) if alike else "changed"
    if isinstance(old, list) and isinstance(new, list):
        return _worst(map(compared, old, new)) if len(old) == len(new) else "changed"
    alike = isinstance(old, bool) == isinstance(new, bool) and old == new
    return "same" if alike else "changed"


def _parts(old: str | Print, new: str | Print) -> Verdict:
    if isinstance(old, str) or isinstance(new, str):
        return "same" if old == new else "changed"
    common = old.prints.keys() & new.prints.keys()
    if not common:
        return "unknown"
    return "same" if any(old.prints[key] == new.prints[key] for key in common) else "changed"


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    found = set(verdicts)
    return "changed" if "changed" in found else "unknown" if "unknown" in found else "same"


def secrets_in(value: Value) -> list[Print]:
    """The fingerprints in a value, in order."""
    if isinstance(value, Masked):
        return [part for part in value.parts if isinstance(part, Print)]
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [found for one in inside for found in secrets_in(one)]


def is_now(version: Version, now: Fields) -> bool:
    """Whether a version has the settings ``now``: each that both have is the same, and none is missing."""
    return not changes(version.fields, now)


def before(versions: Sequence[Version], now: Fields) -> Version | None:
    """Of the versions that are not what holds now, that which was seen last."""
    others = [one for one in versions if not is_now(one, now)]
    return max(others, key=lambda one: (one.last_seen, one.number), default=None)
