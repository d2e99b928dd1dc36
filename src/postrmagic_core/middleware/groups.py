"""Other layers for some paths: a prefix, what is added beneath it, and what is left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass

from ..errors import ConfigurationError
from .interface import Middleware
from .order import Compiled, Layers, arranged, compiled


@dataclass(frozen=True, slots=True)
class Group:
    """The paths ``prefix`` and ``prefix/…``: they have the pipeline's layers ``without`` some, and those of ``use``.

    What is added stands inside the others, or wherever its demands want it. Of groups inside each other all hold. A
    path is compared as the application gets it, percent-decoded, with the path it is mounted at.
    """

    prefix: str
    use: Sequence[Middleware] = ()
    without: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.prefix.startswith("/") or self.prefix.endswith("/"):
            raise ConfigurationError(f"a group's prefix is like /api, got {self.prefix!r}")

    def holds(self, path: str) -> bool:
        """Whether ``path`` is beneath the prefix."""
        return path.startswith(self.prefix) and path[len(self.prefix) : len(self.prefix) + 1] in ("", "/")


class Table:
    """Which layers a path has: those of the longest prefix that holds it."""

    def __init__(self, base: Sequence[Compiled], groups: Sequence[Group]) -> None:
        if len({group.prefix for group in groups}) < len(groups):
            raise ConfigurationError("two groups have the same prefix: make them one")
        known = {layer.place.name for layer in base}
        for group in groups:
            if strange := sorted(set(group.without) - known):
                raise ConfigurationError(
                    f"group {group.prefix} leaves out {strange[0]}, which the pipeline does not hold"
                )
        self.base = tuple(base)
        longest_first = sorted(groups, key=lambda group: -len(group.prefix))
        self.groups = tuple((group, self._beneath(group, groups)) for group in longest_first)

    def each(self, change: Callable[[Compiled], Compiled]) -> Table:
        """The same table with every layer as ``change`` makes it."""
        table = copy(self)
        table.base = tuple(change(layer) for layer in self.base)
        table.groups = tuple((group, tuple(change(layer) for layer in layers)) for group, layers in self.groups)
        return table

    def _beneath(self, group: Group, groups: Sequence[Group]) -> tuple[Compiled, ...]:
        around = sorted((each for each in groups if each.holds(group.prefix)), key=lambda each: len(each.prefix))
        without = {name for each in around for name in each.without}
        added = [compiled(given) for each in around for given in each.use]
        return arranged([*(layer for layer in self.base if layer.place.name not in without), *added])


class Chosen:
    """The same table, ready for requests: of each path the layers for one kind of connection."""

    def __init__(self, table: Table, scope: str) -> None:
        self.base = _of(table.base, scope)
        self._groups = tuple((group, _of(layers, scope)) for group, layers in table.groups)

    def of(self, path: str) -> Layers:
        """The layers of a path."""
        for group, layers in self._groups:
            if group.holds(path):
                return layers
        return self.base


def _of(layers: Sequence[Compiled], scope: str) -> Layers:
    return Layers(layer for layer in layers if scope in layer.place.scopes)
