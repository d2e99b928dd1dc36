"""A plugin of pytest: each block of Python that a test takes from a page leaves a mark when it was executed to its end.

``-p tests.docs.marking``, with the directory for the marks in ``MARKS``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.docs.playing import ROOT

BLOCK = re.compile(r"^(```python\n.*?)^```$", re.MULTILINE | re.DOTALL)


def mark(name: str, number: int) -> str:
    """The mark of a page's block: a file's name."""
    return f"{name.replace('/', '.')}-{number}"


def marked(text: str, name: str, directory: Path) -> str:
    """The page, each of whose blocks ends by leaving its mark."""
    numbers = iter(range(1, 1000))

    def leave(found: re.Match[str]) -> str:
        return f"{found[1]}open({str(directory / mark(name, next(numbers)))!r}, 'ab').close()\n```"

    return BLOCK.sub(leave, text)


def _plant(directory: Path) -> None:
    read = Path.read_text

    def read_text(self: Path, encoding: str | None = None, errors: str | None = None) -> str:
        text = read(self, encoding, errors)
        place = self.absolute()
        if self.suffix == ".md" and place.is_relative_to(ROOT):
            return marked(text, place.relative_to(ROOT).as_posix(), directory)
        return text

    Path.read_text = read_text  # type: ignore[method-assign]  # as every test reads a page


if "MARKS" in os.environ:
    _plant(Path(os.environ["MARKS"]))
