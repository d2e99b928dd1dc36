"""Where settings are from: the environment, secret files, the file, or none of them.

They are read as far as they go, also where they are wrong.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from .._secret_files import SECRETS, SecretFiles, read_secret_files
from ..settings import Settings, settings_rooms

PREFIX = "postrmagic_"
CONFIG = "POSTRMAGIC_CONFIG"
_MOST_WRONG = 50
_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_RESERVED = (CONFIG.lower(), SECRETS.lower(), "postrmagic_test_")


@dataclass(frozen=True, slots=True)
class Sources:
    """What stands in the environment and in the file, as it was written.

    ``environment`` has the values by room and field, ``variables`` by ``room.field`` which of the environment's
    variables say so, and ``unread`` what is wrong with those that say nothing. ``secrets`` are the secret files: what
    they say stands between the two. ``file`` is what the TOML file at ``path`` says, ``text`` its text, and
    ``problem`` why it is refused: ``valid`` is then what remains without the lines that are no TOML, and ``file`` what
    that says.
    """

    environment: Mapping[str, Mapping[str, Any]]
    variables: Mapping[str, tuple[str, ...]]
    path: Path
    file: Mapping[str, Any]
    unread: Mapping[str, str]
    text: str | None = None
    valid: str | None = None
    problem: str | None = None
    secrets: SecretFiles = field(default_factory=SecretFiles)

    def place(self, name: str) -> Literal["environment", "secret", "file"] | None:
        """Where ``room.field`` is set: ``environment``, ``secret`` or ``file``."""
        if name in self.variables:
            return "environment"
        return "secret" if name in self.secrets.files else "file" if self.in_file(name) else None

    def in_file(self, name: str) -> bool:
        """Whether the file says something of ``room.field``."""
        room, _, last = name.partition(".")
        table = self.file.get(room)
        return isinstance(table, dict) and last in table


def read_sources(path: Path | None = None) -> Sources:
    """What is set; ``path`` in place of the file that the environment names. Raises nothing."""
    path = path or Path(os.environ.get(CONFIG) or "postrmagic.toml")
    environment, variables, unread = _environment()
    text = valid = problem = None
    file: dict[str, Any] = {}
    try:
        content = path.read_bytes()
        text = content.decode(errors="surrogateescape")
        valid, file, problem = _valid(text)
    except FileNotFoundError:
        problem = "there is no such file" if str(path) == os.environ.get(CONFIG) else None
    except OSError as error:
        problem = f"it cannot be read: {error.strerror}"
    return Sources(environment, variables, path, file, unread, text, valid, problem, read_secret_files(dict(rooms())))


def _valid(text: str) -> tuple[str, dict[str, Any], str | None]:
    """``text`` without the lines that keep it from being TOML, what that says, and what is wrong with the first."""
    problem = None
    lines = _LINES.findall(text)  # as the errors count them
    for _ in range(_MOST_WRONG):
        valid = "".join(lines)
        try:
            valid.encode()
            return valid, tomllib.loads(valid), problem
        except UnicodeEncodeError as error:
            wrong, reason = valid.count("\n", 0, error.start), "it is not UTF-8"
        except tomllib.TOMLDecodeError as error:
            found = _LINE.search(str(error))
            wrong, reason = int(found[1]) - 1 if found else len(lines) - 1, f"it is not TOML: {error}"
        except RecursionError:
            return "", {}, problem or "it is not TOML: it is nested too deeply"
        problem = problem or reason
        del lines[min(wrong, len(lines) - 1)]
    return "", {}, problem


def _environment() -> tuple[dict[str, dict[str, Any]], dict[str, tuple[str, ...]], dict[str, str]]:
    """The environment's settings: a whole room as JSON first, then what says more of it, as pydantic-settings does."""
    rooms: dict[str, dict[str, Any]] = {}
    variables: dict[str, tuple[str, ...]] = {}
    unread: dict[str, str] = {}
    for variable in sorted(os.environ, key=lambda one: (one.count("__"), one)):
        lower, value = variable.lower(), os.environ[variable]
        if not lower.startswith(PREFIX) or lower.startswith(_RESERVED) or not value:
            continue
        room, *path = lower.removeprefix(PREFIX).split("__")
        told: Any = value if len(path) == 1 else _container(value)
        for name in reversed(path):
            told = {name: told}
        if not isinstance(told, dict):
            unread[variable] = "expected a table in JSON, or POSTRMAGIC_<ROOM>__<FIELD>"
            continue
        for name in told:
            variables[f"{room}.{name}"] = (*variables.get(f"{room}.{name}", ()), variable)
        rooms[room] = merged(rooms.get(room, {}), told)
    return rooms, variables, unread


def _container(text: object) -> Any:
    """The list or table that a text is in JSON; else the text."""
    if isinstance(text, str) and text.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables of two sources as one: what is above wins, table by table."""
    result = dict(below)
    for name, value in above.items():
        under, over = _container(result.get(name)), _container(value)
        both = isinstance(under, Mapping) and isinstance(over, Mapping)
        result[name] = merged(under, over) if both else value
    return result


def rooms() -> Iterator[tuple[str, type[BaseModel]]]:
    """The rooms of the settings and what each is made of."""
    yield from settings_rooms(Settings).items()


@dataclass(frozen=True, slots=True)
class Effective:
    """Settings as far as they can be told: those that hold, by ``room.field``, and what is wrong with the others."""

    values: dict[str, Any]
    problems: dict[str, str] = field(default_factory=dict)


def effective(sources: Sources) -> Effective:
    """The settings by these sources, each field by itself."""
    found = Effective({}, {str(sources.path): sources.problem} if sources.problem else {})
    found.problems.update({**sources.unread, **sources.secrets.problems})
    known = dict(rooms())
    above = merged(sources.secrets.values, sources.environment)
    for name in {**sources.file, **above}.keys() - known.keys():
        found.problems[name] = "there is no such room"
    for name, model in known.items():
        below = sources.file.get(name, {})
        if not isinstance(below, Mapping):
            found.problems[name] = "expected a table"
            below = {}
        made = made_of(name, model, merged(below, above.get(name, {})), found.problems)
        for last in model.model_fields:
            if f"{name}.{last}" not in found.problems:
                found.values[f"{name}.{last}"] = getattr(made, last)
    return found


def made_of(room: str, model: type[BaseModel], given: dict[str, Any], problems: dict[str, str]) -> BaseModel:
    """A room of what is ``given``, without those fields that are refused; of none, where they are refused together."""
    while True:
        before = len(problems), dict(given)
        try:
            return model.model_validate(given)
        except ValidationError as error:
            for one in error.errors(include_url=False, include_input=False, include_context=False):
                name = str(one["loc"][0]) if one["loc"] else ""
                if name not in given:  # refused together with another, or more than once
                    continue
                value = _container(given[name])
                if value is not given[name]:
                    given[name] = value
                    continue
                problems[f"{room}.{name}"] = one["msg"].removeprefix("Value error, ")
                del given[name]
            if before == (len(problems), given):
                if not given:
                    raise
                problems[room] = error.errors()[0]["msg"].removeprefix("Value error, ")
                given.clear()
