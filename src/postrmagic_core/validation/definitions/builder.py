"""From a checked definition to a model: every problem of the definition is found, then the classes are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema

from ...errors import ConfigurationError, ValidationFailed
from ..model import Input
from ..rules import Matches
from ..rules.named import NamedRule
from . import model as form
from .rules import UNUSABLE, Fields, Path, Rules
from .types import SIMPLE


class Builder:
    """One definition on its way to a model."""

    def __init__(self, limits: form.DefinitionLimits, data: object, further: Mapping[str, NamedRule]) -> None:
        self._limits = limits
        self._rules = Rules(limits, data, further)
        self._fields = 0

    def build(self, definition: form.Definition) -> type[Input]:
        """The model. Raises :class:`ValidationFailed` with every problem and its place in the definition."""
        model = self._model("Form", definition.fields, definition.together, (), 1)
        if self._rules.problems:
            raise ValidationFailed(self._rules.problems)
        return model

    def _model(
        self, title: str, fields: Fields, together: Sequence[form.WholeRule], path: Path, depth: int
    ) -> type[Input]:
        self._fields += len(fields)
        if self._fields > self._limits.fields:
            self._rules.refuse("definition.fields", (*path, "fields"), limit=self._limits.fields)
            return Input
        made: dict[str, Any] = {}
        for name, field in fields.items():
            place = (*path, "fields", name)
            between = list(self._rules.others(name, fields, place))
            made[name] = _placed(field, self._type(field, place, depth, between=True), between)
        whole = [
            rule for at, one in enumerate(together) for rule in self._rules.whole(one, fields, (*path, "together", at))
        ]
        if self._rules.problems:
            return Input
        try:
            # The metaclass takes `together`, as a class statement does.
            return create_model(title, __base__=Input, __module__=__name__, __cls_kwargs__={"together": whole}, **made)
        except UNUSABLE:
            self._rules.refuse("definition.unusable", path)
            return Input

    def _type(self, field: form.AnyField, place: Path, depth: int, *, between: bool) -> Any:
        """The field's type with the rules on itself; ``between``: it may have rules between fields, made elsewhere."""
        if len(field.rules) > self._limits.rules:
            self._rules.refuse("definition.rules", (*place, "rules"), limit=self._limits.rules)
            return Any
        base = self._base(field, place, depth)
        rules = list(self._rules.own(field, place, between=between))
        return Annotated[(base, *rules)] if rules else base

    def _base(self, field: form.AnyField, place: Path, depth: int) -> Any:
        if isinstance(field, (form.ListField, form.ObjectField)) and depth >= self._limits.nesting:
            self._rules.refuse("definition.nesting", place, limit=self._limits.nesting)
            return Any
        if isinstance(field, form.ObjectField):
            return self._model(f"Form.{place[-1]}", field.fields, field.together, place, depth + 1)
        if isinstance(field, form.ListField):
            item = self._type(field.of, (*place, "of"), depth + 1, between=False)
            least = max(field.min, int(field.required))
            return Annotated[list[item], Field(min_length=least, max_length=field.max)]  # type: ignore[valid-type]  # made here
        if isinstance(field, form.ChoiceField) and not self._choices(field, place):
            return Any
        try:
            base = SIMPLE[type(field)](field)
        except UNUSABLE:
            self._rules.refuse("definition.unusable", place)
            return Any
        return self._patterned(base, field, place) if isinstance(field, form.TextField) else base

    def _patterned(self, base: Any, field: form.TextField, place: Path) -> Any:
        pattern, place = field.pattern, (*place, "pattern")
        if pattern is None or not self._rules.pattern(pattern, place):
            return base
        try:
            return Annotated[base, Matches(pattern, max=field.max)]
        except ConfigurationError:
            self._rules.refuse("definition.pattern", place)
            return base

    def _choices(self, field: form.ChoiceField, place: Path) -> bool:
        if len(field.of) > self._limits.choices:
            self._rules.refuse("definition.choices", (*place, "of"), limit=self._limits.choices)
        elif len(set(field.of)) < len(field.of):
            self._rules.refuse("definition.repeated", (*place, "of"))
        else:
            return True
        return False


class Nullable:
    """Metadata: ``null`` is accepted as well. Unlike a union it asks of no rule that it have a hash."""

    __slots__ = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The type, or ``None``."""
        return core_schema.nullable_schema(handler(source))


def _placed(field: form.AnyField, annotation: Any, between: Sequence[object]) -> tuple[Any, Any]:
    """The field as :func:`pydantic.create_model` takes it, the rules between fields around its whole type."""
    if field.required:
        return (Annotated[(annotation, *between)] if between else annotation), Field(title=field.label)
    return Annotated[(annotation, Nullable(), *between)], Field(default=None, title=field.label)
