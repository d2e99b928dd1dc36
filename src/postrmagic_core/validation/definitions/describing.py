"""The rules of a model as plain data: the documentation of what an input must be (OWASP ASVS 2.1.1)."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Callable, Collection, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from inspect import isclass
from types import BuiltinFunctionType, FunctionType, MethodDescriptorType, NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined


def describe(model: type[BaseModel]) -> dict[str, Any]:
    """``{"model": name, "models": {name: {"fields": …, "together": …}}}``: the model and all that it is made of.

    Each field says its ``type``, whether it is ``required``, its ``default`` where that is plain data, and its
    ``rules`` with their parameters, in the order they run; each model its ``checks``, which are functions, by name.
    The same model gives the same data, fit for JSON and for a snapshot.
    """
    return _Describer().told(model)


class _Describer:
    """One description: every model in it has a name of its own."""

    def __init__(self) -> None:
        self._names: dict[type[BaseModel], str] = {}

    def told(self, model: type[BaseModel]) -> dict[str, Any]:
        described: dict[str, Any] = {}
        self._name(model)
        while waiting := [one for one, name in self._names.items() if name not in described]:
            for one in waiting:
                described[self._names[one]] = self._model(one)
        return {"model": self._names[model], "models": described}

    def _name(self, model: type[BaseModel]) -> str:
        """The model's name, numbered where another one has it already; whoever has a name is described."""
        if model not in self._names:
            same = sum(one.__name__ == model.__name__ for one in self._names)
            self._names[model] = f"{model.__name__} ({same + 1})" if same else model.__name__
        return self._names[model]

    def _model(self, model: type[BaseModel]) -> dict[str, Any]:
        said: dict[str, Any] = {
            "unknown fields": model.model_config.get("extra", "ignore"),
            "strict": bool(model.model_config.get("strict")),
            "fields": {name: self._field(info) for name, info in model.model_fields.items()},
        }
        if rules := self._rules(getattr(model, "__together__", ())):
            said["together"] = rules
        decorators = model.__pydantic_decorators__
        if checks := [*decorators.field_validators, *decorators.model_validators]:
            said["checks"] = checks
        return said

    def _field(self, info: FieldInfo) -> dict[str, Any]:
        kind, rules = self._type(info.annotation)
        said: dict[str, Any] = {"type": kind, "required": info.is_required()}
        if info.default is not PydanticUndefined and not info.is_required():
            said["default"] = self._plain(info.default)
        if info.title:
            said["label"] = info.title
        rules += self._rules(info.metadata)
        return {**said, "rules": rules} if rules else said

    def _type(self, annotation: Any) -> tuple[Any, list[Any]]:
        """A type in words, and the rules that stand on it."""
        annotation = getattr(annotation, "__value__", annotation)
        if get_origin(annotation) is Annotated:
            inner, *metadata = get_args(annotation)
            kind, rules = self._type(inner)
            return kind, rules + self._rules(metadata)
        if not isclass(annotation) or get_args(annotation):
            return self._compound(annotation), []
        if issubclass(annotation, BaseModel):
            return {"model": self._name(annotation)}, []
        if issubclass(annotation, enum.Enum):
            return {"one of": [self._plain(member.value) for member in annotation]}, []
        return ("null" if annotation is NoneType else annotation.__name__), []

    def _compound(self, annotation: Any) -> Any:
        origin, given = get_origin(annotation), get_args(annotation)
        if origin is None:
            return str(annotation).removeprefix("typing.")
        name = getattr(origin, "__name__", str(origin).removeprefix("typing."))
        if name == "Literal":
            return {"one of": [self._plain(value) for value in given]}
        parts = []
        for part in given:
            kind, rules = self._type(part) if part is not Ellipsis else ("…", [])
            parts.append({"type": kind, "rules": rules} if rules else kind)
        return {"any of" if name in {"Union", "UnionType"} else name: parts}

    def _rules(self, metadata: Collection[object]) -> list[dict[str, Any]]:
        rules: list[dict[str, Any]] = []
        for one in metadata:
            rules += self._rules(one.metadata) if isinstance(one, FieldInfo) else [self._rule(one)]
        return rules

    def _rule(self, rule: object) -> dict[str, Any]:
        """A rule by the name of its class, with its parameters."""
        if dataclasses.is_dataclass(rule):
            given = {each.name: getattr(rule, each.name) for each in dataclasses.fields(rule)}
        else:
            given = dict(getattr(rule, "__dict__", {}))
        shown = {name: self._plain(value) for name, value in given.items() if not name.startswith("_")}
        if "rule" in shown:  # one that stands in another
            shown["of"] = shown.pop("rule")
        name = rule.__name__ if isclass(rule) else type(rule).__name__
        name = "Constraint" if name.startswith("_") else name  # pydantic's own, for all without a class
        return {"rule": name, **{name: value for name, value in shown.items() if value is not None}}

    def _plain(self, value: Any) -> Any:
        """A parameter as data; what is neither plain nor a rule is told by its name, or by its type alone."""
        for kinds, told in self._told:
            if isinstance(value, kinds):
                return told(self, value)
        if dataclasses.is_dataclass(value):
            return self._rule(value)
        if hasattr(value, "table") and hasattr(value, "key"):  # a column, Core's or the ORM's
            return f"{getattr(value.table, 'name', '')}.{value.key}"
        return type(value).__name__

    # Which comes first counts: an enumeration's member may be a text, and a text is a collection.
    _told: tuple[tuple[Any, Callable[[_Describer, Any], Any]], ...] = (
        (enum.Enum, lambda self, value: self._plain(value.value)),
        ((str, int, float, bool, NoneType), lambda self, value: value),
        ((Decimal, date, time, timedelta), lambda self, value: str(value)),
        (re.Pattern, lambda self, value: value.pattern),
        ((type, FunctionType), lambda self, value: f"{value.__module__}.{value.__qualname__}"),
        ((BuiltinFunctionType, MethodDescriptorType), lambda self, value: value.__qualname__),
        (Mapping, lambda self, value: {str(name): self._plain(one) for name, one in value.items()}),
        ((set, frozenset), lambda self, value: sorted(map(self._plain, value), key=repr)),
        ((list, tuple), lambda self, value: [self._plain(one) for one in value]),
    )
