"""``asvs.toml``: which requirement of the OWASP ASVS is met, by which tests, and which are left to the application."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from postrmagic_core.errors import ConfigurationError

EDITION: Final = "ASVS 5.0.0"
Status = Literal["met", "application", "not claimed", "not yet"]


class BadEntry(ConfigurationError):
    """``asvs.toml`` says something that cannot be checked."""

    code = "configuration.asvs"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement, its text in ``what`` in short.

    ``met`` names at least one of ``tests``. ``application``, ``not claimed`` and ``not yet`` say ``why``.
    ``app_tests`` prove it in the reference application. Whatever its status, every test that is named has to pass.
    """

    id: str
    level: int
    what: str
    status: Status
    tests: tuple[str, ...] = ()
    app_tests: tuple[str, ...] = ()
    why: str = ""

    @property
    def chapter(self) -> str:
        """``V6`` for 6.2.1."""
        return f"V{self.id.partition('.')[0]}"

    @property
    def named(self) -> tuple[str, ...]:
        """Every test that the requirement names."""
        return self.tests + self.app_tests


def load_requirements(path: Path) -> list[Requirement]:
    """Every entry of the file; :class:`BadEntry` names the first one that is incomplete, double or misplaced."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadEntry(f"{path} cannot be read as TOML: {error}") from error
    if set(entries) != {"requirement"} or not isinstance(entries["requirement"], list):
        raise BadEntry(f"{path.name}: expected [[requirement]] entries and nothing beside them; got {sorted(entries)}")
    loaded = [_requirement(entry) for entry in entries["requirement"]]
    for before, after in pairwise(loaded):
        if _number(before.id) == _number(after.id):
            raise BadEntry(f"requirement {after.id} occurs twice: put all its tests into one entry")
        if _number(before.id) > _number(after.id):
            raise BadEntry(f"requirement {after.id} stands after {before.id}: expected them in the order of the ASVS")
    return loaded


def covers(test: str, node: str) -> bool:
    """Whether the pytest node id belongs to ``test``: a class, a function or one set of parameters.

    ``path/test_x.py::*::test_y`` are the methods of that name in all classes of the file, as a contract's heirs have.
    """
    head, any_class, method = test.partition("::*::")
    if any_class and node.startswith(f"{head}::"):
        name, _, rest = node[len(head) + 2 :].partition("::")
        return bool(rest) and "[" not in name and covers(method, rest)
    return node == test or node.startswith((f"{test}[", f"{test}::"))


def function_of(node: str) -> str:
    """The node id of the function, without its parameters."""
    return node.partition("[")[0]


def _requirement(entry: Mapping[str, Any]) -> Requirement:
    name = entry.get("id")
    known = [field.name for field in fields(Requirement)]
    if not isinstance(name, str) or not re.fullmatch(r"[1-9]\d*\.[1-9]\d*\.[1-9]\d*", name, re.ASCII):
        raise BadEntry(f'requirement {name!r}: expected an id such as "6.2.1"')
    if unknown := sorted(set(entry) - set(known)):
        raise BadEntry(f"requirement {name}: unknown {', '.join(unknown)}; expected some of {', '.join(known)}")
    if type(entry.get("level")) is not int or entry["level"] not in {1, 2, 3}:
        raise BadEntry(f"requirement {name}: expected level = 1, 2 or 3, got {entry.get('level')!r}")
    if entry.get("status") not in get_args(Status):
        raise BadEntry(
            f"requirement {name}: expected status = {' or '.join(get_args(Status))}, got {entry.get('status')!r}"
        )
    made = Requirement(
        id=name,
        level=entry["level"],
        what=_text(entry, "what"),
        status=cast("Status", entry["status"]),
        tests=_tests(entry, "tests"),
        app_tests=_tests(entry, "app_tests"),
        why=_text(entry, "why"),
    )
    _sensible(made)
    return made


def _sensible(made: Requirement) -> None:
    if not made.what:
        raise BadEntry(f"requirement {made.id}: say in `what` what it asks for")
    if made.status == "met" and not made.tests:
        raise BadEntry(f"requirement {made.id} is met without a test: name one in `tests`, or give another status")
    if made.status != "met" and not made.why:
        raise BadEntry(f"requirement {made.id} is {made.status}: say in `why` what it rests on or what is missing")
    if made.status == "not claimed" and made.named:
        raise BadEntry(f"requirement {made.id} is not claimed, yet names tests: leave them out, or claim it")


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key, "")
    if not isinstance(value, str) or "\n" in value or value != value.strip():
        raise BadEntry(f"requirement {entry['id']}: expected `{key}` as one line of text, got {value!r}")
    return value


def _tests(entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(isinstance(test, str) and "::" in test for test in value):
        raise BadEntry(
            f"requirement {entry['id']}: expected `{key}` as a list of tests, each path/test_x.py::test_y or "
            f"path/test_x.py::TestZ, got {value!r}"
        )
    if len(set(value)) < len(value):
        raise BadEntry(f"requirement {entry['id']}: a test occurs twice in `{key}`")
    return tuple(value)


def _number(name: str) -> tuple[int, ...]:
    return tuple(map(int, name.split(".")))
