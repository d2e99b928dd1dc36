"""Print what the image installs beside the package, each with its version: the newest that pyproject.toml admits.

``docker build --target constraints --output deploy .`` runs it, on the image's own Python.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

EXTRAS = ("demo", "mysql", "redis", "rabbitmq", "otel", "sentry")


def wanted(project: Path) -> list[str]:
    """The package's requirements and those of its extras, as ``pyproject.toml`` says them."""
    table = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    return sorted({*table["dependencies"], *(one for name in EXTRAS for one in table["optional-dependencies"][name])})


def resolved(requirements: list[str]) -> list[str]:
    """``name==version`` of all that pip would install for them, in order."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed"]
    command += ["--only-binary", ":all:", "--report", "-", *requirements]
    report = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603 # nosec B603 # no shell
    found = (item["metadata"] for item in json.loads(report.stdout)["install"])
    return sorted(f"{item['name'].lower().replace('_', '-')}=={item['version']}" for item in found)


if __name__ == "__main__":
    print("# Made by `docker build --target constraints --output deploy .`: what the image installs, exactly.")  # noqa: T201 # its output
    print("\n".join(resolved(wanted(Path("pyproject.toml")))))  # noqa: T201 # its output
