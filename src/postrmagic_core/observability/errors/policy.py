"""How errors are told apart, what is kept of one, and when one comes back. Pure."""

from __future__ import annotations

import hashlib
import json
import re
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .interface import State

SAMPLE_BYTES: Final = 16 * 1024
_MESSAGE = 300  # characters

IS_FINGERPRINT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}").fullmatch
IS_RELEASE = re.compile(r"[A-Za-z0-9_.+-]{1,64}").fullmatch

# What differs between two occurrences of one text: quoted parts, UUIDs, hexadecimal and decimal numbers.
_VARIES = re.compile(
    r"""(?<!\w)'[^']{0,200}'|"[^"]{0,200}"|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"""
    r"""|\b0x[0-9a-fA-F]+\b|\b(?=[a-fA-F]*[0-9])[0-9a-fA-F]{8,}\b|\d+"""
)

# Code that is not the application's: installed packages, the standard library, this package itself.
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]|^<")
_NOT_THEIRS = (sysconfig.get_path("stdlib"), str(Path(__file__).parents[2]))

# Beyond SAMPLE_BYTES a sample is shortened, step by step: characters of a text, items of a list or mapping.
_STEPS = ((2000, 60), (500, 30), (200, 15), (80, 8))
_HEAD = ("ts", "level", "logger", "event", "fingerprint", "request_id", "trace_id", "job_id", "task", "route")


def hashed(*texts: str) -> str:
    """Sixteen hexadecimal characters for texts that tell a group apart."""
    return hashlib.sha256("\n".join(texts).encode("utf-8", "replace")).hexdigest()[:16]


def own_fingerprint(given: object) -> str | None:
    """The fingerprint that a record brings along: as it is where it can be a name, else hashed; ``None`` without."""
    if not isinstance(given, str) or not given:
        return None
    return given if IS_FINGERPRINT(given) else hashed(given)


def without_exception(event: Mapping[str, Any]) -> str:
    """The fingerprint of a record that has none and no exception: its logger, and its event without what varies."""
    return hashed(str(event.get("logger", "")), _VARIES.sub("#", str(event.get("event", ""))[:1000]))


@dataclass(frozen=True, slots=True)
class Heading:
    """What a group is listed by; each text fits into its column. ``words`` is what is searched, in lower case."""

    logger: str
    kind: str
    message: str
    place: str
    words: str


def heading(event: Mapping[str, Any]) -> Heading:
    """What a cleaned event is listed by."""
    error = event.get("exception")
    error = error if isinstance(error, Mapping) else {}
    logger = fit(event.get("logger", ""), 190)
    kind = fit(error.get("type", ""), 190)
    message = fit(str(error.get("message") or event.get("event", ""))[:_MESSAGE], 1000)
    place = fit(_place(error) or logger, 255)
    words = fit(" ".join((kind, message, place, logger, str(event.get("event", ""))[:_MESSAGE])).lower(), 2000)
    return Heading(logger, kind, message, place, words)


def _place(error: Mapping[str, Any]) -> str:
    """Where the application went wrong: the innermost frame of its own code, or of any."""
    frames = [frame for frame in _frames(error) if isinstance(frame, Mapping)]
    if not frames:
        return ""
    own = next((frame for frame in reversed(frames) if theirs(str(frame.get("file", "")))), frames[-1])
    file = "/".join(str(own.get("file", "")).replace("\\", "/").split("/")[-2:])
    return f"{file}:{own.get('line', 0)} in {own.get('function', '')}"


def _frames(error: Mapping[str, Any]) -> Iterator[Any]:
    """The frames of an exception, those of a group's first member after the group's own."""
    frames = error.get("frames")
    yield from frames if isinstance(frames, list) else ()
    members = error.get("errors")
    if isinstance(members, list) and members and isinstance(members[0], Mapping):
        yield from _frames(members[0])


def theirs(file: str) -> bool:
    """Whether a file is the application's own code."""
    return bool(file) and _INSTALLED.search(file) is None and not file.startswith(_NOT_THEIRS)


def fit(text: object, size: int) -> str:
    """As much of a text as a column of ``size`` bytes takes, whatever is in it."""
    return str(text).encode("utf-8", "replace")[:size].decode("utf-8", "ignore")


def sample(event: Mapping[str, Any]) -> bytes:
    """The event as JSON, at most 16 KiB of it: what is longer is shortened, the innermost frames stay."""
    encoded = _encoded(event)
    for characters, items in _STEPS:
        if len(encoded) <= SAMPLE_BYTES:
            return encoded
        encoded = _encoded(_cut(event, characters, items))
    return encoded if len(encoded) <= SAMPLE_BYTES else _encoded(head(event))


def head(event: Mapping[str, Any]) -> dict[str, Any]:
    """What must be known of an event, a few KiB at most: what it says, its ids, and where its exception comes from."""
    short: dict[str, Any] = {name: _shortened(event[name], 200, 1) for name in _HEAD if name in event}
    error = event.get("exception")
    if isinstance(error, Mapping):
        kept = {name: error[name] for name in ("type", "message", "frames") if name in error}
        short["exception"] = _shortened(kept, 200, 10)
    return short


def _cut(event: Mapping[str, Any], characters: int, items: int) -> dict[str, Any]:
    """An event with what must be known of it, and some of its other fields; everything shortened."""
    others = [name for name in event if name not in _HEAD and name != "exception"]
    beyond = set(others[items:])
    kept = {name: value for name, value in event.items() if name not in beyond}
    return {name[:characters]: _shortened(value, characters, items) for name, value in kept.items()}


def _shortened(value: Any, characters: int, items: int) -> Any:
    if isinstance(value, str):
        return (
            value if len(value) <= characters else f"{value[:characters]} [{len(value) - characters} more characters]"
        )
    if isinstance(value, Mapping):
        return {
            str(name)[:characters]: _frames_of(item, characters, items)
            if name == "frames"
            else _shortened(item, characters, items)
            for name, item in list(value.items())[:items]
        }
    if isinstance(value, list):
        return [_shortened(item, characters, items) for item in value[:items]]
    return value


def _frames_of(value: Any, characters: int, items: int) -> Any:
    return _shortened(value[-items:] if isinstance(value, list) else value, characters, items)


def _encoded(event: Mapping[str, Any]) -> bytes:
    # In ASCII: half a character of UTF-16 has no bytes of its own.
    return json.dumps(event, separators=(",", ":"), default=lambda value: f"[{type(value).__name__}]").encode()


@dataclass(frozen=True, slots=True)
class Held:
    """What people said of a group, when its error is seen again: instants in microseconds since the epoch."""

    state: State
    count: int
    changed_us: int
    resolved_in: str
    until_us: int | None
    until_count: int | None


def seen_again(held: Held, last_us: int, release: str, since: Mapping[str, int]) -> State | None:
    """Into which state a group comes as its error was seen at ``last_us`` in ``release``; ``None``: it stays.

    ``since`` tells when releases began. What is resolved in a release comes back only with one that began later:
    processes of the same and of older ones may still run. Without a release on either side, with whatever is later
    than the change. What is ignored for a time, or for a number of times, is new once that is over.
    """
    if held.state == "resolved":
        if held.resolved_in and release:
            later = began_later(release, held.resolved_in, since)
        else:
            later = last_us > held.changed_us
        return "regressed" if later else None
    if held.state == "ignored":
        over = held.until_us is not None and last_us > held.until_us
        enough = held.until_count is not None and held.count > held.until_count
        return "new" if over or enough else None
    return None


def began_later(release: str, than: str, since: Mapping[str, int]) -> bool:
    """Whether a release began after another; nothing began after one that has not begun."""
    return release in since and than in since and since[release] > since[than]
