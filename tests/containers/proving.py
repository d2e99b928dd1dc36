"""What both reports do: tests on one engine, then each of their safeguards taken out, then what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.containers.engine import ROOT, NoEngine, engine, told

# A row is red also when it takes longer than this: so it must be far more than its tests take.
PATIENCE = 900
_BARE = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_PLUGINS": "postrmagic_core.testing.pytest_plugin,pytest_timeout",
    "PYTEST_ADDOPTS": "-m containers",
}


def proved(tests: Sequence[str], guards: str | None, options: Sequence[str] = (), **variables: str) -> dict[str, Any]:
    """What the tests measured, if they pass, and if without each guard of the file its tests fail; else it exits."""
    try:
        with engine() as found, tempfile.TemporaryDirectory() as scratch:
            environment = dict(found.environment)
            measured = Path(scratch) / "measured.json"
            command = [sys.executable, "-m", "pytest", "-m", "containers", "-p", "no:cacheprovider", *options, *tests]
            _run(command, {**environment, **variables, "CONTAINER_REPORT": str(measured)})
            if guards is not None:
                told("taking out each safeguard")
                command = [sys.executable, "-m", "postrmagic_core.testing.guards", guards]
                _run([*command, "--jobs=1", f"--timeout={PATIENCE}"], {**environment, **_BARE})
            figures: dict[str, Any] = json.loads(measured.read_text(encoding="utf-8"))
            return figures
    except NoEngine as error:
        sys.exit(str(error))


def shown(guards: str | None, of: str) -> str:
    """The report's line on safeguards."""
    if guards is None:
        return "That these tests fail without their safeguards was not tried here."
    return f"Each safeguard was taken out in turn, and the test that needs it turned red: `{guards}` ({of})."


def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    if status := subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
        sys.exit(status)
