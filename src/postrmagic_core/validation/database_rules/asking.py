"""The phase after pydantic: the database rules of one type, asked about in one reading unit, and told as errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ..._steps import Steps
from ...errors import BackendError, ConfigurationError, NestedUnit, UniqueViolation, ValidationFailed
from ..messages import Catalogue
from ..policy import entry, written
from .nodes import Found, Node, Path, Paths, Trail, find, steps
from .planning import plan
from .violations import blamed, common

if TYPE_CHECKING:
    from ...database import DatabaseManager
    from .queries import Refused

Problems: TypeAlias = list[dict[str, str]]
_NOTHING = object()


def asking(model: Any, database: DatabaseManager | None) -> Asking | None:
    """What asks about a type's database rules; ``None`` where it has none.

    Raises :class:`ConfigurationError` for rules without a ``database``, or in a place where they cannot be checked.
    """
    root, placed = plan(model)
    if not placed:
        return None
    if database is None:
        raise ConfigurationError(
            f"{placed[0].label} has the rule {type(placed[0].rule).__name__}, which asks a database: give "
            f"the validator one, Validator({root.label}, database=stack.database)"
        )
    return Asking(root, database)


class Port:
    """The database as the procedures here use it, for the sync face."""

    def __init__(self, database: Any) -> None:
        self._database = database

    def ask(self, found: list[Found]) -> list[Refused]:
        """What the database says against these values."""
        from .queries import refused  # SQLAlchemy: only for who has database rules

        with self._database.read() as tx:
            return refused(tx, found)


class Asking:
    """The database rules of one type: procedures to be driven with a :class:`Port`."""

    def __init__(self, root: Node, database: DatabaseManager) -> None:
        self._root = root
        self._database = database

    def checking(self, value: object, data: object, groups: frozenset[str], messages: Catalogue) -> Steps[None]:
        """Raise :class:`ValidationFailed` with all that the rules do not accept in ``value``, read from ``data``."""
        found = find(self._root, value, groups)
        if not found:
            return
        if refused := (yield lambda port: port.ask(found)):
            raise ValidationFailed(_problems([(one.found.trail, one.code) for one in refused], data, messages))

    def refusal(self, value: object, violation: UniqueViolation, messages: Catalogue) -> Steps[ValidationFailed | None]:
        """The error that :meth:`checking` would have raised; ``None`` for a constraint that no rule speaks of."""
        suspects = blamed(find(self._root, value, None), violation)
        again: list[Refused] = []
        if len(suspects) > 1 and not self._in_unit():
            try:
                again = yield lambda port: port.ask(suspects)
            except BackendError:
                again = []
        return _refusal(suspects, again, messages)

    def _in_unit(self) -> bool:
        """Whether a unit is open, whose own rows a further look could not tell from those of others."""
        try:
            return self._database.current() is not None
        except NestedUnit:
            return True


def _refusal(suspects: list[Found], again: list[Refused], messages: Catalogue) -> ValidationFailed | None:
    """About the values that are found taken now; where there are none, about the part that holds all of them."""
    if not suspects:
        return None
    places = [(one.found.trail, one.code) for one in again] or [(common(suspects), suspects[0].placed.rule.code)]
    return ValidationFailed(_problems(places, _NOTHING, messages))


def _problems(places: list[tuple[Trail, str]], data: object, messages: Catalogue) -> Problems:
    told = {(pointer(trail, data), code): None for trail, code in places}
    return [entry(code, at, {}, messages) for at, code in told]


def pointer(trail: Trail, data: object) -> str:
    """The JSON pointer to a place: by the names that ``data`` uses, or else by the usual ones."""
    node: Any = data
    names: list[Any] = []
    for step in steps(trail):
        for name in _chosen(step, node) if isinstance(step, Paths) else (step,):
            names.append(name)
            node = _inside(node, name)
    return written(names)


def _chosen(paths: Paths, node: Any) -> Path:
    for path in paths:
        at = node
        for name in path:
            at = _inside(at, name)
        if at is not _NOTHING:
            return path
    return paths[0]


def _inside(node: Any, step: Any) -> Any:
    if isinstance(node, Mapping):
        return node.get(step, _NOTHING)
    try:
        return node[step]
    except (TypeError, LookupError):
        return _NOTHING
