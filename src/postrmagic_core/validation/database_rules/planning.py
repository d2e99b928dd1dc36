"""From a type to the plan of its database rules; what cannot be checked for sure is refused when the plan is made."""

from __future__ import annotations

import collections
import collections.abc
from collections.abc import Iterable
from inspect import isclass
from typing import Any, ForwardRef, Literal, get_args, get_origin
from typing import get_type_hints as hints_of

from pydantic import AliasChoices, AliasPath, BaseModel
from pydantic.fields import FieldInfo

from ...errors import ConfigurationError
from .annotations import MAPPINGS, ORDERED, UNORDERED, Around, is_record, meant, members, put, unwrapped
from .nodes import Choice, Either, Fields, Items, Node, Pairs, Path, Paths, Placed, Positions, Same
from .rules import Conditional, database_rules

_NOT_HOLDING = (Literal, type, collections.abc.Callable)


def plan(kind: Any) -> tuple[Node, list[Placed]]:
    """The plan of a type, and the database rules in it.

    Raises :class:`ConfigurationError` for a rule on something else than a plain value, in a type that cannot be walked
    (an iterator, a union whose members look alike), or about a field that is not there.
    """
    planner = _Planner()
    root = planner.node(kind, (), Around(getattr(kind, "__name__", "the type")))
    planner.finish()
    return root, planner.placed


class _Opaque(Node):
    """A type of whose values nothing is known but what they may hold."""

    def __init__(self, label: str, nodes: list[Node]) -> None:
        super().__init__(label)
        self._nodes = nodes

    def below(self) -> Iterable[Node]:
        """What it may hold."""
        return self._nodes


class _Planner:
    def __init__(self) -> None:
        self.placed: list[Placed] = []
        self._nodes: list[Node] = []
        self._fields: dict[type, Fields] = {}
        self._aliases: dict[str, Same] = {}

    def node(self, kind: Any, rules: Iterable[Conditional], around: Around) -> Node:
        """The node of a type with these rules on it."""
        kind, rules = unwrapped(kind, [*rules])
        if isinstance(kind, (str, ForwardRef)):
            raise ConfigurationError(
                f"{around.label} names a type that is not defined yet: make the Validator after all of its types"
            )
        if rules:
            return self._ruled(kind, rules, around)
        made = self._holding(kind, around)
        self._nodes.append(made)
        return made

    def finish(self) -> None:
        """Mark what leads to a rule; refuse what could not be followed to one."""
        above: dict[Node, list[Node]] = collections.defaultdict(list)
        for node in self._nodes:
            for each in node.below():
                above[each].append(node)
        waiting = [node for node in self._nodes if node.rules]
        while waiting:
            node = waiting.pop()
            if not node.useful:
                node.useful = True
                waiting += above[node]
        for node in self._nodes:
            if node.useful and isinstance(node, _Opaque):
                raise ConfigurationError(
                    f"{node.label} holds a database rule in a type that is not looked into: use a list, a set, a "
                    "tuple, a dictionary or a model"
                )
            if isinstance(node, Either):
                _tell_apart(node)

    def _ruled(self, kind: Any, rules: list[Conditional], around: Around) -> Node:
        placed = [put(one, kind, around) for one in rules]
        self.placed += placed
        leaf: Node
        if members(kind):
            leaf = Either(around.label, self._choices(kind, around), placed)
        else:
            leaf = Node(around.label, placed)
        self._nodes.append(leaf)
        return leaf

    def _holding(self, kind: Any, around: Around) -> Node:
        origin, arguments = get_origin(kind) or kind, get_args(kind)
        if hasattr(origin, "__value__"):
            return self._alias(kind, origin, arguments, around)
        if members(kind):
            return Either(around.label, self._choices(kind, around))
        if isclass(origin) and (fields := self._with_fields(origin, arguments)):
            return fields
        return self._collection(origin, arguments, around)

    def _collection(self, origin: Any, arguments: tuple[Any, ...], around: Around) -> Node:
        if not arguments or origin in _NOT_HOLDING:
            return Node(around.label)
        if origin is tuple and arguments[-1] is not Ellipsis:
            return Positions(around.label, [self.node(each, (), around) for each in arguments])
        if origin in ORDERED or origin in UNORDERED:
            item = self.node(arguments[0], (), around)
            return Items(around.label, item, (origin,), ordered=origin in ORDERED)
        if origin in MAPPINGS and len(arguments) == 2:
            return Pairs(around.label, *(self.node(each, (), around) for each in arguments))
        return _Opaque(around.label, [self.node(each, (), around) for each in arguments])

    def _alias(self, kind: Any, origin: Any, arguments: tuple[Any, ...], around: Around) -> Node:
        name = f"{id(origin)} {kind!r} {around.label}"
        if name not in self._aliases:
            node = self._aliases[name] = Same(around.label)
            named = meant(origin)
            node.node = self.node(named[arguments] if arguments else named, (), around)
        return self._aliases[name]

    def _choices(self, kind: Any, around: Around) -> list[Choice]:
        return [
            Choice(_class_of(member), self.node(member, (), around))
            for member in members(kind)
            if member is not type(None)
        ]

    def _with_fields(self, kind: type, arguments: tuple[Any, ...]) -> Node | None:
        if kind in self._fields:
            return self._fields[kind]
        if issubclass(kind, BaseModel):
            infos = kind.model_fields
        elif is_record(kind) and not arguments:
            infos = {name: FieldInfo.from_annotation(hint) for name, hint in _hints(kind).items()}
            infos.update(getattr(kind, "__pydantic_fields__", {}))
        elif hasattr(kind, "_fields") and issubclass(kind, tuple):
            return _Opaque(
                kind.__name__, [self.node(hint, (), Around(kind.__name__)) for hint in _hints(kind).values()]
            )
        else:
            return None
        typed = issubclass(kind, dict)
        made = self._fields[kind] = Fields(dict if typed else kind, _item if typed else getattr)
        root = bool(getattr(kind, "__pydantic_root_model__", False))
        siblings = frozenset() if root else frozenset(infos)
        for name, info in infos.items():
            around = Around(f"{kind.__name__}.{name}", siblings, made.read)
            node = self.node(info.annotation, database_rules(info.metadata), around)
            made.fields.append((name, None if root else _paths(name, info), node))
        return made


def _class_of(kind: Any) -> type | None:
    """The class of a type's values, where it is one and tells them from others."""
    kind, _ = unwrapped(kind, [])
    while hasattr(get_origin(kind) or kind, "__value__"):
        kind, _ = unwrapped(meant(get_origin(kind) or kind), [])
    origin = get_origin(kind) or kind
    if origin is Literal:
        classes = {type(value) for value in get_args(kind)}
        return classes.pop() if len(classes) == 1 else None
    if not isclass(origin) or origin in (object, Any):
        return None
    return dict if issubclass(origin, dict) else origin


def _tell_apart(node: Either) -> None:
    """Refuse a union with rules in a member whose values may be another's."""
    if not any(choice.node.useful for choice in node.choices):
        node.choices = []
        return
    kinds = [choice.kind for choice in node.choices]
    if None in kinds or len(set(kinds)) < len(kinds):
        raise ConfigurationError(
            f"{node.label} is a union with a database rule in one of its members, which cannot be told from the others "
            "by the class of the value: put the rule on the whole field, or make the members models"
        )


def _hints(kind: type) -> dict[str, Any]:
    try:
        return hints_of(kind, include_extras=True)
    except NameError:
        raise ConfigurationError(
            f"{kind.__name__} names a type that is not defined in its module, so that its rules are not known: make it "
            "a subclass of validation.Input, or define that type at the module's top"
        ) from None


def _item(value: Any, name: str) -> Any:
    return value.get(name)


def _paths(name: str, info: FieldInfo) -> Paths:
    alias = info.validation_alias if info.validation_alias is not None else info.alias
    paths: list[Path] = [_path(one) for one in (alias.choices if isinstance(alias, AliasChoices) else [alias]) if one]
    return Paths([*paths, (name,)])


def _path(alias: str | AliasPath) -> Path:
    return (alias,) if isinstance(alias, str) else tuple(alias.path)
