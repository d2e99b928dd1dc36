"""How statements lie in a dump, and how they are found again: each is told with its length, so none is parsed.

What is in a string, or which mode of SQL a routine was written in, plays no part. The lines between are for people and
for the server's own client, which reads the same file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ....errors import BackupDamaged
from .session import LENIENT, MODE

_FRAME = re.compile(rb"-- statement of (\d{1,12}) bytes")
_DEFINER = re.compile(
    rb"""
    \A((?:\s|/\*!\d*|\*/)*CREATE(?:\s|\*/|/\*M?!\d*|OR\s+REPLACE|AGGREGATE|ALGORITHM\s*=\s*\w+)*)
    DEFINER\s*=\s*(?:`(?:[^`]|``)*`|[^\s`@]+)(?:@(?:`(?:[^`]|``)*`|[^\s`]+))?
    """,
    re.VERBOSE,
)
# As a server shows an event.
_EVENT = re.compile(rb"(\s*CREATE\s+EVENT\s.*?\sON\s+COMPLETION\s+(?:NOT\s+)?PRESERVE\s+)ENABLE\b", re.DOTALL)
# A line between two statements is short; longer is no dump of ours.
_LONGEST_LINE = 4096


def framed(statement: bytes, *, body: bool = False) -> bytes:
    """``statement`` with its length before it; ``body``: it has semicolons of its own."""
    head = b"-- statement of %d bytes\n" % len(statement)
    if body:
        return b"DELIMITER ;;\n" + head + statement + b"\n;;\nDELIMITER ;\n"
    return head + statement + b";\n"


def creation(name: str, created: bytes, *, strict: bool = True) -> bytes:
    """What makes a table anew, before its rows; ``name`` is quoted."""
    return b"".join(
        [
            framed(f"DROP TABLE IF EXISTS {name}".encode()),
            framed(f"SET sql_mode = '{LENIENT}'".encode()),
            framed(created),
            framed(f"SET sql_mode = '{MODE if strict else LENIENT}'".encode()),
        ]
    )


def comment(text: str) -> bytes:
    """Lines for people; each shorter than :func:`statements` allows."""
    told = "".join(f"-- {line[:500]}\n" for line in text.splitlines() or [""])
    return told.encode(errors="replace")


def statements(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The statements of an entry, in order; :class:`BackupDamaged` where it ends within one."""
    rest = bytearray()
    source = iter(blocks)
    while True:
        line = _line(rest, source)
        if line is None:
            return
        found = _FRAME.fullmatch(line)
        if found is not None:
            yield _taken(rest, source, int(found[1]))


def without_definer(statement: bytes) -> bytes:
    """The statement that makes a view, trigger, routine or event, made by whoever runs it."""
    return _DEFINER.sub(rb"\1", statement, count=1) if b"DEFINER" in statement[:2048] else statement


def disabled(statement: bytes) -> bytes:
    """The statement that makes an event, so that it does not run; another as it is. It names no definer any more."""
    return _EVENT.sub(rb"\1DISABLE", statement, count=1) if statement.lstrip().startswith(b"CREATE") else statement


def _line(rest: bytearray, source: Iterator[bytes]) -> bytes | None:
    while (end := rest.find(b"\n")) < 0:
        if len(rest) > _LONGEST_LINE:
            raise BackupDamaged("a part of the dump is no text of statements")
        block = next(source, None)
        if block is None:
            if rest:
                raise BackupDamaged("a part of the dump ends within a line")
            return None
        rest += block
    line = bytes(rest[:end])
    del rest[: end + 1]
    return line


def _taken(rest: bytearray, source: Iterator[bytes], size: int) -> bytes:
    while len(rest) < size:
        block = next(source, None)
        if block is None:
            raise BackupDamaged("a part of the dump ends within a statement")
        rest += block
    statement = bytes(rest[:size])
    del rest[:size]
    return statement
