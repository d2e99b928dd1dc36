"""Settings that are files: ``<room>__<field>`` in the directory that ``POSTRMAGIC_SECRETS`` names.

So containers are given what must be in no environment, image or command line: Docker below ``/run/secrets``,
Kubernetes as a mounted volume, systemd in ``$CREDENTIALS_DIRECTORY``.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from inspect import isclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

SECRETS = "POSTRMAGIC_SECRETS"
"""The variable that names the directory."""

LARGEST = 64 * 1024
"""Bytes that a file has at most."""


@dataclass(frozen=True, slots=True)
class SecretFiles:
    """What the files say, by room and field; which file says ``room.field``; what is wrong, by file.

    No text here is a file's content but ``values``.
    """

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def read_secret_files(rooms: Mapping[str, type[BaseModel]]) -> SecretFiles:
    """The settings of ``rooms`` that are files. Raises nothing; without the variable there are none.

    A name with two underscores amidst that is no setting is a problem: a silent typo is a wrong setting. All other
    files may lie there for whomever they are. A file has UTF-8; newlines at its end are not of it; lists and tables are
    JSON, as in a variable.
    """
    found = SecretFiles()
    named = os.environ.get(SECRETS)
    if not named:
        return found
    directory = Path(named)
    try:
        names = sorted(path.name for path in directory.iterdir())
    except OSError as error:
        found.problems[SECRETS] = f"the directory {directory} cannot be read: {error.strerror}"
        return found
    known = {f"{room}__{name}": (room, name) for room, model in rooms.items() for name in model.model_fields}
    for name in filter(_is_meant, names):
        path = directory / name
        if name not in known:
            found.problems[str(path)] = _unknown(name, known)
            continue
        room, last = known[name]
        try:
            value = _decoded(_text(path), rooms[room].model_fields[last].annotation)
        except OSError as error:
            found.problems[str(path)] = f"it cannot be read: {error.strerror}"
        except _Refused as refused:
            found.problems[str(path)] = str(refused)
        else:
            found.values.setdefault(room, {})[last] = value
            found.files[f"{room}.{last}"] = path
    return found


class _Refused(Exception):
    """What is wrong with a file, without what is in it."""


def _is_meant(name: str) -> bool:
    """Whether a file is called like a setting; what begins with a dot (Kubernetes' ``..data``) is nobody's."""
    room, mark, last = name.partition("__")
    return bool(room and mark and last) and not name.startswith(".")


def _unknown(name: str, known: Collection[str]) -> str:
    asked = name.lower().removeprefix("postrmagic_")
    near = get_close_matches(asked, known, 1)
    hint = f"did you mean {near[0]}?" if near else "expected <room>__<field> in small letters, as database__url"
    return f"there is no such setting: {hint}"


def _text(path: Path) -> str:
    # Not to wait for who writes into a pipe that lies there.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _Refused("it is no file")
        content = b""
        while len(content) <= LARGEST and (more := os.read(descriptor, LARGEST + 1)):
            content += more
    finally:
        os.close(descriptor)
    if len(content) > LARGEST:
        raise _Refused(f"it has more than {LARGEST // 1024} KiB")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise _Refused("it is not UTF-8") from None
    text = text.rstrip("\r\n")
    if not text:
        raise _Refused("it is empty: write the value, or take the file away")
    if "\0" in text:
        raise _Refused("it has a NUL character in it")
    return text


def _decoded(text: str, annotation: Any) -> Any:
    kinds = list(_kinds(annotation))
    if not any(isclass(kind) and issubclass(kind, BaseModel | Collection) and kind is not str for kind in kinds):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if str in kinds:
            return text
        raise _Refused("expected JSON") from None


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types that a value may be of, without what they are made of."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for one in get_args(annotation):
            yield from _kinds(one)
    else:
        yield origin or annotation
