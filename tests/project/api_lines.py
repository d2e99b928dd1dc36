"""What a line of ``public-api.txt`` says: its name, and how it is called, from the text alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEAD = re.compile(r"(async )?(?:class )?([\w.]+)")
_OPEN, _CLOSE = "([{", ")]}"


def split(text: str, separator: str) -> list[str]:
    """Its parts between separators that stand in no bracket and no quotes, without spaces around them."""
    parts, depth, quote, begun, position = list[str](), 0, "", 0, 0
    while position < len(text):
        letter = text[position]
        if quote:
            position += letter == "\\"
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in _OPEN or letter in _CLOSE:
            depth += 1 if letter in _OPEN else -1
        elif depth == 0 and text.startswith(separator, position):
            parts.append(text[begun:position].strip())
            begun = position + len(separator)
        position += 1
    return [*parts, text[begun:].strip()]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of a call: ``kind`` is ``positional`` (by position alone), ``either``, ``keyword``, ``*`` or ``**``."""

    name: str
    kind: str
    annotation: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """How something is called, and what comes back."""

    parameters: tuple[Parameter, ...]
    returns: str
    waits: bool


def call_of(line: str) -> Call | None:
    """How the thing of this line is called; none where it is no call."""
    head = _HEAD.match(line)
    if head is None or line.startswith("class ") or line[head.end() : head.end() + 1] != "(":
        return None
    inside, _, after = _bracketed(line[head.end() :])
    return Call(tuple(_parameters(inside)), after.strip().removeprefix("->").strip(), head[1] is not None)


def _bracketed(text: str) -> tuple[str, str, str]:
    """What is in the bracket that it begins with, the bracket's end, and what comes after it."""
    depth, quote = 0, ""
    for position, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in _OPEN or letter in _CLOSE:
            depth += 1 if letter in _OPEN else -1
            if depth == 0:
                return text[1:position], letter, text[position + 1 :]
    raise ValueError(f"a bracket is not closed: {text}")


def _parameters(text: str) -> Iterator[Parameter]:
    parts = [part for part in split(text, ",") if part]
    kind = "positional" if "/" in parts else "either"
    for part in parts:
        if part == "/":
            kind = "either"
        elif part == "*":
            kind = "keyword"
        else:
            declared, *default = split(part, " = ")
            name, _, annotation = declared.partition(":")
            stars = name[: len(name) - len(name.lstrip("*"))]
            yield Parameter(name.lstrip("*"), stars or kind, annotation.strip(), default[0] if default else None)
            if stars == "*":
                kind = "keyword"


def names(text: str) -> dict[tuple[str, str], list[str]]:
    """By section and name the lines that tell it; a name that is told to be another one has that one's lines."""
    found: dict[tuple[str, str], list[str]] = {}
    passed_on: list[tuple[str, str, str]] = []
    section, known = "", sections(text)
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, told = _told(section, line)
            if " = " in line and told in known:
                passed_on.append((section, name, line.partition(" = ")[2]))
            else:
                found.setdefault((section, name), []).append(line)
    for section, name, target in passed_on:
        module, _, owner = target.rpartition(".")
        for (where, what), lines in list(found.items()):
            if where == module and (what == owner or what.startswith(f"{owner}.")):
                moved = [re.sub(rf"^((?:async |class )?){re.escape(owner)}\b", rf"\g<1>{name}", line) for line in lines]
                found.setdefault((section, name + what.removeprefix(owner)), []).extend(moved)
    return found


def sections(text: str) -> set[str]:
    """The names in brackets."""
    return set(re.findall(r"^\[([^\]]+)\]$", text, re.MULTILINE))


def _told(section: str, line: str) -> tuple[str, str]:
    """The name of a line, and the module of which it says to be a name."""
    if section in {"commands", "pytest"}:
        words = line.split(" ")
        end = next((at for at, word in enumerate(words) if word.startswith("[") or word.isupper()), len(words))
        return " ".join(words[:end]), ""
    if section == "url schemes":
        return line.partition(":")[0], ""
    head = _HEAD.match(line)
    assert head is not None, line
    return head[2], line.partition(" = ")[2].rpartition(".")[0]
