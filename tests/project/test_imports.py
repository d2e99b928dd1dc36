"""Importing costs nothing that was not asked for: no driver, no framework, nothing from the environment."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import postrmagic_core

HEAVY = {"alembic", "cryptography", "dramatiq", "pydantic", "pymysql", "redis", "sqlalchemy", "structlog"}
DRIVERS = {"MySQLdb", "PIL", "pika", "pymysql", "redis"}
FRAMEWORKS = {"django", "fastapi", "flask", "jinja2", "starlette", "uvicorn"}

# A framework's glue imports its framework, and the test kit may import everything.
ROOMS = sorted(
    module.name
    for module in pkgutil.iter_modules(postrmagic_core.__path__)
    if module.name not in {"integrations", "testing"}
)


def loaded_by(statement: str) -> set[str]:
    """The top-level modules in a fresh interpreter after `statement`."""
    program = (
        f"import json, sys\n{statement}\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_measure_sees_an_import() -> None:
    """A module that is loaded is reported: silence below means absence."""
    assert "sqlite3" in loaded_by("import sqlite3.dbapi2")


def test_the_package_loads_nothing_heavy() -> None:
    """`import postrmagic_core` loads no driver and none of the core dependencies."""
    assert loaded_by("import postrmagic_core") & (HEAVY | DRIVERS | FRAMEWORKS) == set()


def test_no_room_loads_a_driver() -> None:
    """Importing them all loads no server's driver and no web framework: adapters do, when their URL is used."""
    statement = "\n".join(f"import postrmagic_core.{room}" for room in ROOMS)
    assert len(ROOMS) > 25
    assert loaded_by(statement) & (DRIVERS | FRAMEWORKS) == set(), "which of them: import one by one"
