"""``faults.toml``: which fault is borne, which tests prove it, and which guard makes the difference."""

from __future__ import annotations

import importlib
import json
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from postrmagic_core.errors import ConfigurationError

VARIABLE: Final = "POSTRMAGIC_TEST_GUARD"
DEFAULT_DOUBLE: Final = "postrmagic_core.testing.doubles:noop"


@dataclass(frozen=True, slots=True)
class Row:
    """One fault: claimed by ``tests`` and ``guard``, or ``not_applicable`` for a reason.

    ``slow``: without the guard they wait long for what does not come, so that they are best begun first.
    """

    id: str
    tests: tuple[str, ...] = ()
    guard: str = ""
    double: str = DEFAULT_DOUBLE
    not_applicable: str = ""
    slow: bool = False

    @property
    def claimed(self) -> bool:
        """Whether tests say that we bear it."""
        return not self.not_applicable

    def proved_by(self, node: str) -> bool:
        """Whether the pytest node id belongs to one of the row's tests (a file, class, function or parameter set)."""
        return any(node == test or node.startswith((f"{test}[", f"{test}::")) for test in self.tests)


class BadRow(ConfigurationError):
    """``faults.toml`` says something that cannot be checked."""

    code = "configuration.faults"


def load_rows(path: Path) -> list[Row]:
    """Every row of the file; :class:`BadRow` names the first that is incomplete, unknown or double."""
    rows = [_row(entry) for entry in tomllib.loads(path.read_text()).get("fault", [])]
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise BadRow(f"fault {row.id} occurs twice: put all its tests into one row")
        seen.add(row.id)
    return rows


def _row(entry: Mapping[str, Any]) -> Row:
    name = entry.get("id")
    unknown = set(entry) - {"id", "tests", "guard", "double", "not_applicable", "slow"}
    if not name or unknown:
        raise BadRow(
            f"fault {name or entry}: expected an id, tests, guard, double, slow, not_applicable; got {sorted(entry)}"
        )
    claimed, excused = bool(entry.get("tests") and entry.get("guard")), bool(entry.get("not_applicable"))
    if claimed == excused or (excused and len(entry) > 2):
        raise BadRow(f"fault {name}: give either tests and guard, or not_applicable with its reason")
    return Row(**{**entry, "tests": tuple(entry.get("tests", ()))})


def disarm(row: Row) -> dict[str, str]:
    """The environment in which the plugin and ``spawn`` put the row's double in its guard's place."""
    return {VARIABLE: json.dumps([row.guard, row.double])}


def apply_from_environment() -> None:
    """Replace the guard that :data:`VARIABLE` names; without it nothing happens. Called by the test kit only."""
    if VARIABLE in os.environ:
        replace(*json.loads(os.environ[VARIABLE]))


def replace(guard: str, double: str) -> None:
    """Put ``double`` where ``guard`` is (``"module:attribute"`` both), wherever it was imported to by name."""
    owner, name, original = locate(guard)
    _, _, substitute = locate(double)
    setattr(owner, name, _bound_like(vars(owner).get(name), substitute))
    package = guard.partition(":")[0].partition(".")[0]
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").partition(".")[0] == package and vars(module).get(name) is original:
            setattr(module, name, substitute)


def locate(place: str) -> tuple[Any, str, Any]:
    """``(owner, name, value)`` of ``"module:Class.method"``; :class:`BadRow` where there is none."""
    module, _, dotted = place.partition(":")
    *path, name = dotted.split(".")
    try:
        owner = importlib.import_module(module)
        for part in path:
            owner = getattr(owner, part)
        return owner, name, getattr(owner, name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadRow(f"{place} does not exist ({error}): expected module:attribute or module:Class.method") from error


def _bound_like(original: object, substitute: Any) -> Any:
    """The substitute as the kind of attribute that the original is."""
    for kind in (staticmethod, classmethod, property):
        if isinstance(original, kind):
            return kind(substitute)
    return substitute
