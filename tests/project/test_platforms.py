"""What the page of platforms says works where POSIX is missing does, as far as that can be seen on Linux."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "platforms.md").read_text(encoding="utf-8")
# As CPython documents what Windows has not.
WITHOUT_POSIX = """\
import os, signal, sys, time
for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios"):
    sys.modules[name] = None
for owner, names in ((os, "fork register_at_fork getuid geteuid fchown chown killpg setsid O_DIRECTORY O_NOFOLLOW"),
                     (signal, "SIGKILL SIGHUP SIGUSR1 SIGUSR2 SIGALRM SIGCHLD SIGXCPU"),
                     (time, "CLOCK_BOOTTIME clock_gettime")):
    for name in names.split():
        if hasattr(owner, name):
            delattr(owner, name)
"""
LOADED = """\
import importlib, json
found = {{}}
for room in {rooms!r}:
    try:
        module = importlib.import_module("postrmagic_core." + room)
        for name in module.__all__:
            getattr(module, name)
        found[room] = ""
    except (ImportError, AttributeError) as error:
        found[room] = str(error)
print(json.dumps(found))
"""


def rooms(heading: str) -> list[str]:
    """Those of the line of the page's table of Windows."""
    (line,) = re.findall(rf"^\| {heading} \| (.*) \|$", PAGE, re.MULTILINE)
    return re.findall(r"`(\w+)`", line)


def test_the_rooms_that_load_without_posix_are_those_of_the_page(tmp_path: Path) -> None:
    """Given an interpreter without what Windows lacks, then each room has all its names there or not, as it says."""
    works, fails = rooms("loads"), rooms("does not")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX + LOADED.format(rooms=[*works, *fails])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(works) > 5
    assert {room: found[room] for room in works if found[room]} == {}
    assert [room for room in fails if not re.search("fcntl|resource|termios|O_DIRECTORY", found[room])] == []
