"""Print what the image installs beside the package: the newest that pyproject.toml admits, with versions and hashes.

``docker build --target constraints --output deploy .`` runs it, on the image's own Python. The hashes are those of the
wheels that pip would take on Linux with glibc 2.28 or later, on each machine and Python that is named here, as the
index tells them; nothing is said of where they lie. pip takes what has one of them, from whichever index it asks, and
refuses anything else.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

EXTRAS = ("demo", "mysql", "redis", "rabbitmq", "otel", "sentry")
MACHINES = ("x86_64", "aarch64")
PYTHONS = ("3.11", "3.12", "3.13")
# Newest first: pip takes the first that a package has. Of each glibc that some wheel was made for.
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_24", "manylinux2014")
HEAD = f"""\
# Made by `docker build --target constraints --output deploy .`: what the image installs, exactly.
# For Linux on {" and ".join(MACHINES)}, Python {PYTHONS[0]}.3 to {PYTHONS[-1]}:
#   pip install --require-hashes -r deploy/constraints.txt
"""


def wanted(project: Path) -> list[str]:
    """The package's requirements and those of its extras, as ``pyproject.toml`` says them."""
    table = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    return sorted({*table["dependencies"], *(one for name in EXTRAS for one in table["optional-dependencies"][name])})


def resolved(requirements: list[str]) -> list[str]:
    """``name==version`` of all that pip would install for them on this Python, in order."""
    return sorted(map(pinned, chosen("--only-binary=:all:", *requirements)))


def hashed(pins: list[str]) -> dict[str, list[str]]:
    """Of each pin the SHA-256 of every wheel that pip would take for it on one of the machines and Pythons."""
    hashes: dict[str, set[str]] = {pin: set() for pin in pins}
    for machine in MACHINES:
        platforms = [f"--platform={platform}_{machine}" for platform in PLATFORMS]
        for python in PYTHONS:
            target = ("--target=nowhere", "--no-deps", "--only-binary=:all:", *platforms, f"--python-version={python}")
            for item in chosen(*target, *pins):
                hashes[pinned(item)].add(item["download_info"]["archive_info"]["hashes"]["sha256"])
    return {pin: sorted(found) for pin, found in hashes.items()}


def pinned(item: dict[str, Any]) -> str:
    """``name==version`` of an item of pip's report."""
    metadata = item["metadata"]
    return f"{metadata['name'].lower().replace('_', '-')}=={metadata['version']}"


def chosen(*arguments: str) -> list[dict[str, Any]]:
    """What pip would install, as it reports it."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-"]
    report = subprocess.run([*command, *arguments], check=True, stdout=subprocess.PIPE)  # noqa: S603 # nosec B603 # no shell
    found: list[dict[str, Any]] = json.loads(report.stdout)["install"]
    return found


def written(hashes: dict[str, list[str]]) -> str:
    """The file: a pin, and its hashes under it."""
    parts = [" \\\n".join([pin, *(f"    --hash=sha256:{one}" for one in found)]) for pin, found in hashes.items()]
    return HEAD + "".join(f"{part}\n" for part in parts)


if __name__ == "__main__":
    sys.stdout.write(written(hashed(resolved(wanted(Path("pyproject.toml"))))))
