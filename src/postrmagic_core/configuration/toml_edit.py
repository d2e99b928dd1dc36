"""Values of a TOML file changed in its text, so that everything else stays: comments, order, blank lines. Pure.

The text is edited where values stand, and then read again: if it does not say exactly what it was to say, it is written
anew from what it says, and its comments are lost.
"""

from __future__ import annotations

import contextlib
import copy
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from ..database.transfer.planfile.tomltext import key, quoted

REMOVED = object()
"""In place of a value: it is not in the file."""

Edits = Mapping[str, Any]
"""Values, or ``REMOVED``, by ``room.field``, or by ``room``."""

Path = tuple[str, ...]
_FENCE = re.compile(r"'''|\"\"\"|'|\"")
_BLANK = re.compile(r"[ \t\r\n]*")


def edited(text: str, edits: Edits) -> tuple[str, bool]:
    """``text`` with ``edits``, and whether the rest of it stayed as it was.

    ``text`` must be TOML. Raises :class:`TypeError` for a value that has no form in TOML, such as ``None`` in a list.
    """
    table = tomllib.loads(text)
    wanted = applied(table, edits)
    whole = [(tuple(name.split(".", 1)), value) for name, value in edits.items()]
    with contextlib.suppress(IndexError):
        statements = list(_statements(text))
        pairs = {one.path for one in statements if one.is_pair}
        single = [one for path, value in whole for one in _finer(path, _at(table, path), value, pairs)]
        for attempt in (single, whole):
            with contextlib.suppress(tomllib.TOMLDecodeError):
                result = _edited(text, statements, attempt)
                if tomllib.loads(result) == wanted:
                    return result, True
    return written(wanted), False


def _at(table: Any, path: Path) -> Any:
    for name in path:
        table = table.get(name) if isinstance(table, dict) else None
    return table


def _finer(path: Path, old: Any, new: Any, pairs: set[Path]) -> Iterator[tuple[Path, Any]]:
    """What of a table differs, each by itself, where the table is written line by line."""
    if not isinstance(old, dict) or not isinstance(new, Mapping) or path in pairs:
        yield path, new
        return
    for name in old.keys() - new.keys():
        yield (*path, name), REMOVED
    for name, value in new.items():
        if name not in old or old[name] != value:
            yield from _finer((*path, name), old.get(name), value, pairs)


def applied(table: Mapping[str, Any], edits: Edits) -> dict[str, Any]:
    """What a file says, with ``edits``."""
    result = copy.deepcopy(dict(table))
    for name, value in edits.items():
        room, _, last = name.partition(".")
        if value is not REMOVED:
            if not isinstance(result.get(room), dict):
                result[room] = {}
            result[room][last] = value
        elif not last:
            result.pop(room, None)
        elif isinstance(result.get(room), dict):
            result[room].pop(last, None)
    return result


def written(table: Mapping[str, Any]) -> str:
    """A whole file that says ``table``."""
    parts = ["".join(_line(name, value) for name, value in table.items() if not isinstance(value, dict))]
    for name, value in table.items():
        if isinstance(value, dict):
            parts.append(f"[{key(name)}]\n" + "".join(_line(*pair) for pair in value.items()))
    return "\n".join(part for part in parts if part)


def _line(name: str, value: object) -> str:
    return f"{key(name)} = {inline(value)}\n"


def inline(value: object) -> str:
    """A value on one line."""
    if isinstance(value, int | float):
        return repr(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key(name)} = {inline(one)}" for name, one in value.items()) + " }" if value else "{}"
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return "[" + ", ".join(map(inline, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no form in TOML")


@dataclass(frozen=True, slots=True)
class _Statement:
    """A line, or several of one value: ``path`` is what it is about; a pair's value is ``text[value:until]``."""

    path: Path
    start: int
    end: int
    value: int = 0
    until: int = 0
    array: bool = False

    @property
    def is_pair(self) -> bool:
        return self.until > 0


def _edited(text: str, statements: list[_Statement], edits: list[tuple[Path, Any]]) -> str:
    pieces: list[tuple[int, int, bool, str]] = []
    added: dict[Path, list[str]] = {}
    for path, value in edits:
        here = [one for one in statements if one.is_pair and one.path == path and not one.array]
        if value is not REMOVED and here:
            pieces.append((here[0].value, here[0].until, False, inline(value)))
            continue
        inside = [one for one in statements if one.path[: len(path)] == path]
        pieces += [(one.start, one.end, False, "") for one in inside]
        if value is not REMOVED:
            added.setdefault(path[:-1], []).append(_line(path[-1], value))
    for table, lines in added.items():
        pieces.append(_addition(text, statements, table, "".join(lines)))
    for start, end, _, replacement in sorted(pieces, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


def _addition(text: str, statements: list[_Statement], table: Path, lines: str) -> tuple[int, int, bool, str]:
    """Where and how ``lines`` come into a table: after what stands in it, or in a new one at the end of all."""
    last = None
    for number, one in enumerate(statements):
        if one.path == table and not one.is_pair and not one.array:
            last = one
            for pair in statements[number + 1 :]:
                if not pair.is_pair:
                    break
                last = pair
    if last is None:
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return len(text), len(text), True, f"{gap}[{'.'.join(map(key, table))}]\n{lines}"
    return last.end, last.end, False, lines if text[last.end - 1 : last.end] == "\n" else f"\n{lines}"


def _statements(text: str) -> Iterator[_Statement]:
    """The headers and pairs of a text that is TOML."""
    at, array = 0, False
    table: Path = ()
    while True:
        at = _BLANK.match(text, at).end()  # type: ignore[union-attr]  # it matches anything
        if at >= len(text):
            return
        start = text.rfind("\n", 0, at) + 1
        if text[at] == "#":
            at = _line_end(text, at)
        elif text[at] == "[":
            array = text.startswith("[[", at)
            opened = at + (2 if array else 1)
            closed = _until(text, opened, "]")
            table, at = _path(text[opened:closed]), _line_end(text, closed)
            yield _Statement(table, start, at, array=array)
        else:
            equals = _until(text, at, "=")
            value = equals + 1 + len(text[equals + 1 :]) - len(text[equals + 1 :].lstrip(" \t"))
            until = _value_end(text, value)
            path = (*table, *_path(text[at:equals]))
            at = _line_end(text, until)
            yield _Statement(path, start, at, value, until, array)


def _path(raw: str) -> Path:
    """The names of a dotted key."""
    names: list[str] = []
    told: Any = tomllib.loads(f"{raw.strip()} = 0")
    while isinstance(told, dict):
        ((name, told),) = told.items()
        names.append(name)
    return tuple(names)


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _until(text: str, at: int, mark: str) -> int:
    """Where ``mark`` is, outside of quotes."""
    while text[at] != mark:
        at = _after_string(text, at) if text[at] in "'\"" else at + 1
    return at


def _value_end(text: str, at: int) -> int:
    """Where the value that begins at ``at`` has ended."""
    depth, end = 0, at
    while at < len(text):
        character = text[at]
        if character in "'\"":
            at = end = _after_string(text, at)
            continue
        if character == "\n" and depth == 0:
            break
        if character == "#":
            if depth == 0:
                break
            at = _line_end(text, at)
            continue
        depth += (character in "[{") - (character in "]}")
        at += 1
        if not character.isspace():
            end = at
    return end


def _after_string(text: str, at: int) -> int:
    """Where the string that begins at ``at`` has ended."""
    fence = _FENCE.match(text, at)[0]  # type: ignore[index]  # it begins with a quote
    at += len(fence)
    while not text.startswith(fence, at):
        at += 2 if text[at] == "\\" and fence[0] == '"' else 1
        if at >= len(text):
            raise IndexError("a string without its end")
    at += len(fence)
    if len(fence) == 3:  # up to two more quotes may belong to it
        at += next((more for more in (2, 1) if text.startswith(fence[0] * more, at)), 0)
    return at
