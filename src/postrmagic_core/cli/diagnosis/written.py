"""The settings as they are written: what is refused, what is not read, and who can read what is secret."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from shlex import quote
from typing import Any

from pydantic import SecretStr

from ...configuration.sources import CONFIG, PREFIX, Sources, rooms
from ...log.policy import scrub
from .interface import Finding, Patient, advice, graver, ok, problem
from .mounts import in_memory

_PAGE = "reference/settings.md"
_SECRETS_PAGE = "reference/settings.md#secret-files"
_UNREADABLE = "postrmagic config history"


def look(patient: Patient) -> Iterator[Finding]:
    """What keeps a process from beginning, then what is not read, then who else can read it."""
    sources = patient.sources
    for name, reason in sorted(_distinct(patient.problems).items()):
        known = name in _known() or not name.replace("_", "").replace(".", "").isalnum() or name.isupper()
        yield problem(
            f"{name}: {scrub(reason) if known else 'there is no such setting'}", _mended(name, sources), _PAGE
        )
    yield from _unread()
    yield from _readable(patient)
    if not patient.problems:
        yield ok(
            f"{len(sources.variables)} settings are in the environment, {len(sources.secrets.files)} in secret files, "
            f"{sum(len(table) for table in sources.file.values() if isinstance(table, dict))} in {_file(sources)}"
        )


def _distinct(problems: Mapping[str, str]) -> dict[str, str]:
    """Without the rooms that are told of as variables already."""
    variables = tuple(name.lower() for name in problems if name.upper().startswith(PREFIX.upper()))
    return {
        name: reason
        for name, reason in problems.items()
        if not any(variable.startswith(f"{PREFIX}{name.lower()}__") for variable in variables)
    }


def _known() -> set[str]:
    """Rooms and settings."""
    return {name for room, model in rooms() for name in (room, *(f"{room}.{each}" for each in model.model_fields))}


def _file(sources: Sources) -> str:
    return str(sources.path) if sources.text is not None else f"{sources.path}, which is not there"


def _mended(name: str, sources: Sources) -> str:
    """What to do about a setting, variable or file that is refused."""
    if name.upper().startswith(PREFIX.upper()):
        near = _near(name.upper().removeprefix(PREFIX.upper()).lower().replace("__", "."))
        return f"unset {name}" + (f", or did you mean {_variable(near)}?" if near else "")
    head = ".".join(name.split(".")[:2])
    if head in _known():
        return f"correct {_places(head, sources)}, or take it away"
    if "/" in name or name == str(sources.path):
        return f"correct {name}, or name another file by {CONFIG}"
    near = _near(name)
    return f"take {_places(head, sources)} away" + (f", or did you mean {near} ({_variable(near)})?" if near else "")


def _places(name: str, sources: Sources) -> str:
    """Where a setting is set."""
    if name in sources.variables:
        return ", ".join(sources.variables[name])
    secret = sources.secrets.files.get(name)
    return str(secret) if secret else f"{name.rpartition('.')[2]} in [{name.partition('.')[0]}] of {sources.path}"


def _near(name: str) -> str | None:
    """The setting that is called most like it."""
    names = [f"{room}.{field}" for room, model in rooms() for field in model.model_fields]
    return next(iter(get_close_matches(name, names, 1)), None)


def _variable(name: str) -> str:
    return f"{PREFIX}{name.replace('.', '__')}".upper()


def _unread() -> Iterator[Finding]:
    """Variables that look like settings, and are none."""
    empty = [
        name
        for name, value in sorted(os.environ.items())
        if name.upper().startswith(PREFIX.upper()) and not value and not name.upper().startswith("POSTRMAGIC_TEST_")
    ]
    if empty:
        yield ok(f"empty, and so not read: {', '.join(empty)}")
    for name in sorted(os.environ):
        head = name.partition("_")[0].upper()
        if "__" in name and head != "POSTRMAGIC" and get_close_matches(head, ["POSTRMAGIC"], 1, 0.8):
            yield advice(f"{name} is not read: it does not begin with POSTRMAGIC_", f"rename or unset {name}", _PAGE)


def _readable(patient: Patient) -> Iterator[Finding]:
    """Files with secrets that others on this machine can read, or any file of settings that they can write."""
    sources = patient.sources
    secret = [key for key in map(str, _secrets_of(patient)) if sources.in_file(key)]
    if sources.text is not None and sources.path.is_file():
        yield from _judged(sources.path, f"it holds {', '.join(secret)}" if secret else "", patient.production)
    for name, path in sorted(sources.secrets.files.items()):
        yield from _judged(path, f"it is {name}", patient.production)


def _judged(path: Path, holds: str, production: bool) -> Iterator[Finding]:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        yield problem(f"{path} cannot be looked at: {error.strerror}", f"ls -l {quote(str(path))}", _SECRETS_PAGE)
        return
    if mode & stat.S_IWOTH:
        yield problem(f"everybody on this machine can write {path}", f"chmod o-w {quote(str(path))}", _SECRETS_PAGE)
    # Docker and Kubernetes mount secrets that everybody in the container can read, in memory: they are who is there.
    elif holds and mode & stat.S_IROTH and not in_memory(path):
        yield graver(
            production,
            f"everybody on this machine can read {path}: {holds}",
            f"chmod o= {quote(str(path))}",
            _SECRETS_PAGE,
        )


def _secrets_of(patient: Patient) -> Iterator[str]:
    for room, values in patient.settings:
        for name, value in values:
            if _is_secret(value):
                yield f"{room}.{name}"


def _is_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_is_secret, value.values()))
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        return "://" not in text or "@" in text or "?" in text  # an address alone is no secret
    return isinstance(value, tuple) and any(map(_is_secret, value))
