"""What ``postrmagic --version`` tells: what is installed here, for reports of mistakes and to compare machines."""

from __future__ import annotations

import platform
import re
import sqlite3
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires, version

_PACKAGE = "postrmagic-core"
# A line of the package's own metadata: name, extras, versions; the extra that it belongs to.
_OF_AN_EXTRA = re.compile(r"""([A-Za-z0-9._-]+)[^;]*;.*\bextra\s*==\s*['"]([^'"]+)['"]""")


def versions() -> dict[str, str]:
    """By name, flat: the package, Python, the platform, SQLite's library, and each extra that is here whole.

    An extra is ``extra.redis``, with the versions of what it brings: ``hiredis 3.5.0, redis 8.1.0``. One of which
    anything is missing is not told; whether a version is one that the extra admits is not looked at.
    """
    told = {
        _PACKAGE: version(_PACKAGE),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "sqlite": sqlite3.sqlite_version,
    }
    return told | {f"extra.{name}": found for name, found in extras(requires(_PACKAGE) or ()).items()}


def extras(lines: Iterable[str]) -> dict[str, str]:
    """The extras all of whose requirements are installed, with their versions; ``lines`` as in ``Requires-Dist``."""
    brought: dict[str, dict[str, str | None]] = {}
    for line in lines:
        found = _OF_AN_EXTRA.match(line)
        if found and found[2] != "all":  # which is the others
            brought.setdefault(found[2], {})[found[1]] = _version(found[1])
    return {
        extra: ", ".join(f"{name} {here}" for name, here in sorted(parts.items()))
        for extra, parts in sorted(brought.items())
        if None not in parts.values()
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
