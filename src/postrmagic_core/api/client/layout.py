"""Expressions laid out as the usual formatters do: on one line where they fit, else one part a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, Union

from .names import WIDTH

Node: TypeAlias = Union[str, "Group"]


@dataclass(frozen=True, slots=True)
class Group:
    """Parts between two brackets; a part may have a label before it (``name=``, ``"name": ``)."""

    head: str
    parts: tuple[tuple[str, Node], ...]
    brackets: str = "()"

    def flat(self) -> str:
        """All on one line."""
        inside = ", ".join(label + flat(part) for label, part in self.parts)
        return f"{self.head}{self.brackets[0]}{inside}{self.brackets[1]}"


def flat(node: Node) -> str:
    """``node`` on one line."""
    return node if isinstance(node, str) else node.flat()


def call(head: str, *parts: Node, **named: Node) -> Group:
    """A call of ``head``."""
    return Group(head, (*(("", part) for part in parts), *((f"{name}=", part) for name, part in named.items())))


def lines(node: Node, indent: int, before: str = "", behind: str = "") -> Iterator[str]:
    """``before``, the node and ``behind``: over as many lines as it takes."""
    pad = " " * indent
    whole = f"{pad}{before}{flat(node)}{behind}"
    if isinstance(node, str) or not node.parts or len(whole) <= WIDTH:
        yield whole
        return
    yield f"{pad}{before}{node.head}{node.brackets[0]}"
    for label, part in node.parts:
        yield from lines(part, indent + 4, label, ",")
    yield f"{pad}{node.brackets[1]}{behind}"
