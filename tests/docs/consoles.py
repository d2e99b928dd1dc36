"""The commands of a page, carried out in a folder as they stand there, each in a process of its own.

What starts a Python program is forked from a process that has imported what takes one most of its time; the rest is
given to bash.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests import commands
from tests.commands import Finished
from tests.docs.playing import blocks

# Plugins of pytest that happen to be installed cost more than what a small suite does.
QUIET = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-W error -p no:cacheprovider"}


class Console:
    """A terminal in ``folder``: what is exported stays."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = dict(environment)

    def type(self, line: str) -> Finished:
        """Carry out one line; answers how it ended."""
        if line.startswith("export "):
            return self._exported(line)
        if re.search(r"[|<>;]", line):
            return self.bash(line)
        words = shlex.split(line)
        given: dict[str, str] = {}
        while re.match(r"[A-Z_]+=", words[0]):
            name, _, value = words.pop(0).partition("=")
            given[name] = value
        if words[:2] == ["python", "-m"]:
            return self._python(words[2], words[3:], given)
        if words[0] == "python" and words[1].endswith(".py"):
            return self._python(words[1].removesuffix(".py"), words[2:], given)
        if words[0] == "postrmagic":
            return self._python("postrmagic_core.cli", words[1:], given)
        return self.bash(line)

    def _python(self, module: str, arguments: list[str], given: dict[str, str]) -> Finished:
        environment = QUIET | self.environment | given
        return commands.run(*arguments, module=module, directory=self.folder, environment=environment)

    def bash(self, line: str, timeout: float = 100) -> Finished:
        """Carry out one line by a shell, in ``timeout`` seconds at most."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, **self.environment}
        done = subprocess.run(
            ["bash", "-euc", line],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def _exported(self, line: str) -> Finished:
        names = re.findall(r"(?:^export| )\s*([A-Z_]+)=", line)
        done = self.bash(line + "\n" + "\n".join(f'echo "${name}"' for name in names))
        self.environment |= dict(zip(names, done.stdout.splitlines(), strict=True))
        return done


def typed(page: Path) -> Iterator[list[str]]:
    """The commands of each console block of a page, without what they print."""
    for block in blocks(page, "console"):
        yield [line.removeprefix("$ ") for line in block.text.splitlines() if line.startswith("$ ")]
