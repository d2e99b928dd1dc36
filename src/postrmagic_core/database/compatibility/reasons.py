"""Why a revision says that the running release can live with it: ``# compatible: reason`` on a statement."""

from __future__ import annotations

import ast
import re
import tokenize
from functools import cached_property
from io import StringIO
from pathlib import Path

_SAID = re.compile(r"#\s*compatible\s*:(.*)", re.IGNORECASE | re.DOTALL)


class Reasons:
    """The reasons in one revision's file: a comment counts for the statement in whose lines it stands, or under it.

    Of a statement that holds others (``with``, ``for``, ``def``) only its head counts.
    """

    def __init__(self, path: Path) -> None:
        with tokenize.open(path) as file:  # in the encoding that it says it has
            self._text = file.read()

    def at(self, line: int) -> str | None:
        """The reason for what the statement at ``line`` does: empty where one is announced and not given."""
        for start, end in self._heads:
            if start <= line <= end:
                found = [self._comments[each] for each in range(start, end + 1) if each in self._comments]
                above = start - 1
                while above in self._alone:
                    if above in self._comments:
                        found.append(self._comments[above])
                    above -= 1
                return next((reason for reason in found if reason), found[0] if found else None)
        return None

    @cached_property
    def _comments(self) -> dict[int, str]:
        found = {}
        for token in tokenize.generate_tokens(StringIO(self._text).readline):
            if token.type == tokenize.COMMENT and (said := _SAID.fullmatch(token.string)):
                found[token.start[0]] = said[1].strip()
        return found

    @cached_property
    def _alone(self) -> set[int]:
        """The lines that hold a comment and nothing else."""
        lines = enumerate(self._text.splitlines(), 1)
        return {number for number, line in lines if line.lstrip().startswith("#")}

    @cached_property
    def _heads(self) -> list[tuple[int, int]]:
        """The lines of each statement without those that it holds, the shortest first."""
        found = []
        for node in ast.walk(ast.parse(self._text)):
            if isinstance(node, ast.stmt):
                body = getattr(node, "body", None)
                end = body[0].lineno - 1 if body else node.end_lineno or node.lineno
                found.append((node.lineno, max(node.lineno, end)))
        return sorted(found, key=lambda lines: lines[1] - lines[0])
