"""Which parts of a validated value a type's database rules are about, and where those stand in the input. Pure.

A type is planned once, as a graph of nodes; those without a rule below them are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from ...errors import UsageError
from .rules import DatabaseRule

Trail: TypeAlias = tuple[Any, Any] | None
"""The way to a value, last step first: a name of an object, an index, or the ``Paths`` of a field."""

Path: TypeAlias = tuple[int | str, ...]


class Paths(tuple[Path, ...]):
    """Where a field may stand in the input, by its aliases and its name; the usual one first."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A rule at its place, ``label``; ``read`` gives a field of the object around it."""

    rule: DatabaseRule
    column: Any
    scope: tuple[tuple[str, Any], ...]
    own: tuple[str, Any] | None
    holders: tuple[Any, ...]
    read: Callable[[Any, str], Any]
    label: str

    def applies(self, groups: frozenset[str]) -> bool:
        """Whether a call that names these groups asks for it."""
        return all(holder.applies(groups) for holder in self.holders)


class Found(NamedTuple):
    """A value that ``placed`` is about: ``within`` is the object around it."""

    placed: Placed
    value: Any
    trail: Trail
    within: Any


class Visit(NamedTuple):
    """A value still to be looked at, by its node."""

    node: Node
    value: Any
    trail: Trail
    within: Any


class Node:
    """A place of the type that holds nothing; the base of those that do. ``useful``: a rule is here or below."""

    useful = False

    def __init__(self, label: str, rules: Iterable[Placed] = ()) -> None:
        self.label = label
        self.rules = tuple(rules)

    def below(self) -> Iterable[Node]:
        """The nodes of what it holds."""
        return ()

    def parts(self, visit: Visit) -> Iterable[Visit]:
        """What ``visit.value`` holds."""
        return ()

    def misplaced(self, expected: str) -> UsageError:
        """A validator of the application has made something else of what holds database rules."""
        return UsageError(
            f"{self.label} holds database rules, but its validated value is not {expected}: put the rule on what the "
            "last validator returns"
        )


class Same(Node):
    """A name for another type: an alias, possibly of itself."""

    node: Node

    def below(self) -> Iterable[Node]:
        """The type it names."""
        return (self.node,)

    def parts(self, visit: Visit) -> Iterable[Visit]:
        """The value itself."""
        return (visit._replace(node=self.node),)


class Fields(Node):
    """A model, dataclass or typed dictionary; a field without :class:`Paths` is the object itself (a root model)."""

    def __init__(self, kind: type, read: Callable[[Any, str], Any]) -> None:
        super().__init__(kind.__name__)
        self.kind = kind
        self.read = read
        self.fields: list[tuple[str, Paths | None, Node]] = []

    def below(self) -> Iterable[Node]:
        """The fields' nodes."""
        return [node for _, _, node in self.fields]

    def parts(self, visit: Visit) -> Iterable[Visit]:
        """The fields' values."""
        if not isinstance(visit.value, self.kind):
            raise self.misplaced(f"a {self.kind.__name__}")
        for name, paths, node in self.fields:
            if not node.useful:
                continue
            trail = visit.trail if paths is None else (visit.trail, paths)
            yield Visit(node, self.read(visit.value, name), trail, visit.value)


class Items(Node):
    """A collection of one kind of item; only those of an ``ordered`` one have a place of their own in the input."""

    def __init__(self, label: str, node: Node, kinds: tuple[type, ...], *, ordered: bool) -> None:
        super().__init__(label)
        self.node = node
        self.kinds = kinds
        self.ordered = ordered

    def below(self) -> Iterable[Node]:
        """The item's node."""
        return (self.node,)

    def parts(self, visit: Visit) -> Iterable[Visit]:
        """The items."""
        fits = isinstance(visit.value, self.kinds)
        if not fits:
            raise self.misplaced("a collection")
        for index, item in enumerate(visit.value):
            yield Visit(self.node, item, (visit.trail, index) if self.ordered else visit.trail, visit.within)


class Positions(Node):
    """A tuple with a type for each place."""

    def __init__(self, label: str, nodes: list[Node]) -> None:
        super().__init__(label)
        self.nodes = nodes

    def below(self) -> Iterable[Node]:
        """The places' nodes."""
        return self.nodes

    def parts(self, visit: Visit) -> Iterable[Visit]:
        """What stands at each place."""
        if not isinstance(visit.value, tuple) or len(visit.value) != len(self.nodes):
            raise self.misplaced("a tuple of its length")
        for index, (node, item) in enumerate(zip(self.nodes, visit.value, strict=True)):
            yield Visit(node, item, (visit.trail, index), visit.within)


class Pairs(Node):
    """A mapping; a rule about its names points at what stands under the name."""

    def __init__(self, label: str, names: Node, values: Node) -> None:
        super().__init__(label)
        self.names = names
        self.values = values

    def below(self) -> Iterable[Node]:
        """The nodes of names and values."""
        return (self.names, self.values)

    def parts(self, visit: Visit) -> Iterable[Visit]:
        """The names and the values."""
        if not hasattr(visit.value, "items"):
            raise self.misplaced("a mapping")
        for name, value in visit.value.items():
            yield Visit(self.names, name, (visit.trail, name), visit.within)
            yield Visit(self.values, value, (visit.trail, name), visit.within)


class Choice(NamedTuple):
    """A member of a union, told by the class of its values where that is known."""

    kind: type | None
    node: Node


class Either(Node):
    """A union: the member whose class the value has, else the first that it is an instance of."""

    def __init__(self, label: str, choices: list[Choice], rules: Iterable[Placed] = ()) -> None:
        super().__init__(label, rules)
        self.choices = choices

    def below(self) -> Iterable[Node]:
        """The members' nodes."""
        return [node for _, node in self.choices]

    def parts(self, visit: Visit) -> Iterable[Visit]:
        """The value as its member."""
        value = visit.value
        if not self.choices:
            return ()
        fits = next((node for kind, node in self.choices if type(value) is kind), None) or next(
            (node for kind, node in self.choices if kind is not None and isinstance(value, kind)), None
        )
        if fits is None:
            raise self.misplaced("of a class that the union names")
        return (visit._replace(node=fits),)


def find(root: Node, value: object, groups: frozenset[str] | None) -> list[Found]:
    """Every value in ``value`` that a rule of these groups, or of all, is about; ``None`` is no value."""
    found: list[Found] = []
    waiting = [Visit(root, value, None, None)]
    while waiting:
        visit = waiting.pop()
        if visit.value is None or not visit.node.useful:
            continue
        for placed in visit.node.rules:
            if groups is None or placed.applies(groups):
                found.append(Found(placed, visit.value, visit.trail, visit.within))
        parts = list(visit.node.parts(visit))
        parts.reverse()
        waiting += parts
    return found


def steps(trail: Trail) -> Iterator[Any]:
    """The steps of a trail, first step first."""
    backwards = []
    while trail is not None:
        trail, step = trail
        backwards.append(step)
    return reversed(backwards)
