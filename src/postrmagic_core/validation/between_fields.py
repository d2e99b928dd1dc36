"""How rules see the other fields of their model: those that passed, also when others failed.

Pydantic runs a model's own validators only when every field passed, so that a form would be sent twice. Rules on fields
run here as one more field, unseen and the last: it looks at what pydantic has collected by then, adds its problems to
theirs, and leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, LiteralString, NoReturn, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, PydanticUndefinedAnnotation, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_core import (
    CoreSchema,
    InitErrorDetails,
    PydanticCustomError,
    PydanticKnownError,
    PydanticOmit,
    ValidationError,
    core_schema,
)

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from .model import Input

UNSEEN = "together()"
"""The name of the unseen field: no identifier, so that it is nobody's."""

_NOT_SENT = object()
_BUILDING: ContextVar[type[Input] | None] = ContextVar("postrmagic_building", default=None)
_NO_GROUPS: frozenset[str] = frozenset()
_COLLECTIONS = (list, tuple, dict, set, frozenset, bytes)


def blank(value: object) -> bool:
    """Whether ``value`` counts as absent: ``None``, white space alone, or a collection of nothing."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value or value.isspace()
    return isinstance(value, _COLLECTIONS) and not value


class Siblings:
    """The fields of one model that passed, defaults included, while the rules between them are checked."""

    __slots__ = ("_context", "_values")

    def __init__(self, values: dict[str, Any], context: Any = None) -> None:
        self._values = values
        self._context = context

    @property
    def groups(self) -> frozenset[str]:
        """The groups that the call names."""
        return groups_in(self._context)

    def has(self, name: str) -> bool:
        """Whether the field is there. One that failed is, as its own error asks for another value, not for none."""
        return name not in self._values or not blank(self._values[name])

    def knows(self, *names: str) -> bool:
        """Whether each of the fields passed."""
        return all(name in self._values for name in names)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def replace(self, name: str, value: object) -> None:
        """Give the field another value."""
        self._values[name] = value


def groups_in(context: Any) -> frozenset[str]:
    """The groups in the ``context`` of a validation, which may be anything where no Validator began it."""
    return context.get("groups", _NO_GROUPS) if isinstance(context, Mapping) else _NO_GROUPS


class FieldRule:
    """A rule on one field that looks at others of the same model: ``Annotated`` metadata of a field of an ``Input``."""

    __slots__ = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The other fields it looks at."""
        return ()

    @property
    def asks_presence_of(self) -> tuple[str, ...]:
        """Those of :attr:`fields` of which it asks whether they are there."""
        return ()

    @property
    def asks_own_presence(self) -> bool:
        """Whether it asks if its own field is there."""
        return False

    def problem(self, name: str, siblings: Siblings) -> PydanticCustomError | None:
        """What is wrong with the field ``name``, which passed its own rules, if anything."""
        raise NotImplementedError

    def bound(self, annotation: Any) -> FieldRule:
        """The rule for a field of this type."""
        return self

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Changes nothing here; raises :class:`ConfigurationError` where no ``Input`` would run it."""
        refuse_elsewhere(self, handler.field_name)
        return handler(source)


class ModelRule:
    """A rule on a whole model: ``class Login(Input, together=[…])``."""

    __slots__ = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields it looks at, of each of which it asks whether it is there."""
        return ()

    def problem(self, siblings: Siblings) -> PydanticCustomError | None:
        """What is wrong with the model, if anything."""
        raise NotImplementedError


class Gate:
    """A rule that applies in some groups only: ``rule`` and ``groups`` are plain attributes."""

    __slots__ = ()
    rule: Any
    groups: frozenset[str]

    def applies(self, groups: Collection[str]) -> bool:
        """Whether the rule counts in a call that names these groups."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Placed:
    """A rule, the field it is about (``None``: the model), and the gate before it."""

    name: str | None
    rule: Any
    gate: Gate | None


def _rules(model: type[Input]) -> Iterator[_Placed]:
    for name, info in model.__pydantic_fields__.items():
        for metadata in info.metadata:
            gate, rule = _opened(metadata)
            if isinstance(rule, FieldRule):
                yield _Placed(name, rule.bound(info.annotation), gate)
    for given in model.__together__:
        gate, rule = _opened(given)
        if not isinstance(rule, ModelRule):
            raise ConfigurationError(f"{model.__name__}: together= takes rules on the whole model, got {rule!r}")
        yield _Placed(None, rule, gate)


def _opened(metadata: object) -> tuple[Gate | None, Any]:
    return (metadata, metadata.rule) if isinstance(metadata, Gate) else (None, metadata)


def refuse_elsewhere(rule: object, field_name: str | None) -> None:
    """Raise :class:`ConfigurationError` unless an ``Input`` is being built whose field carries ``rule`` itself."""
    building = _BUILDING.get()
    info = building.__pydantic_fields__.get(field_name or "") if building is not None else None
    for metadata in info.metadata if info is not None else ():
        if metadata is rule or (isinstance(metadata, Gate) and metadata.rule is rule):
            return
    raise ConfigurationError(
        f"{type(rule).__name__} looks at other fields: it belongs on a field of a subclass of validation.Input, around"
        " the field's whole type: field: Annotated[str | None, …] = None"
    )


class Together:
    """All rules between the fields of one model, run as the value of the unseen field."""

    __slots__ = ("_places", "_rules", "_title")

    def __init__(self, model: type[Input]) -> None:
        fields = model.__pydantic_fields__
        self._title = model.__name__
        self._places: dict[str | None, tuple[str, ...]] = {None: ()}
        for name, field in fields.items():
            self._places[name] = (str(field.validation_alias or field.alias or name),)
        self._rules = list(_rules(model))
        for placed in self._rules:
            _check(placed, model)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def __call__(self, value: object, info: ValidationInfo) -> NoReturn:
        """Raise every problem, or :class:`PydanticOmit`: the field does not exist."""
        if value is not _NOT_SENT:
            raise PydanticKnownError("extra_forbidden")
        data = info.data
        siblings = Siblings(data, info.context)
        problems: list[InitErrorDetails] = []
        for placed in self._rules:
            name, gate = placed.name, placed.gate
            # A field that did not pass has its own error already.
            if (name is None or name in data) and (gate is None or gate.applies(siblings.groups)):
                self._run(placed, siblings, problems)
        if problems:
            raise ValidationError.from_exception_data(self._title, problems, hide_input=True)
        raise PydanticOmit

    def _run(self, placed: _Placed, siblings: Siblings, problems: list[InitErrorDetails]) -> None:
        name = placed.name
        try:
            error = placed.rule.problem(siblings) if name is None else placed.rule.problem(name, siblings)
        except ValidationError as failed:
            problems += [
                _again(one, self._places[name]) for one in failed.errors(include_url=False, include_input=False)
            ]
        else:
            if error is not None:
                problems.append({"type": error, "loc": self._places[name], "input": None})


def _again(error: Mapping[str, Any], place: tuple[str, ...]) -> InitErrorDetails:
    """An error of one value as one of the field that holds it; its words are chosen by its code and context later."""
    code, message = cast(LiteralString, error["type"]), cast(LiteralString, error["msg"])
    return {"type": PydanticCustomError(code, message, error.get("ctx")), "loc": (*place, *error["loc"]), "input": None}


def _check(placed: _Placed, model: type[Input]) -> None:
    """Raise :class:`ConfigurationError` for a rule that could never say what it seems to."""
    fields = model.__pydantic_fields__
    where = f"{model.__name__}.{placed.name}" if placed.name else model.__name__
    rule = f"{where}: {type(placed.rule).__name__}"
    names: Sequence[str] = placed.rule.fields
    unknown = sorted(set(names) - fields.keys())
    if unknown:
        raise ConfigurationError(f"{rule} names {', '.join(unknown)}: no field; the fields are {', '.join(fields)}")
    if placed.name in names or len(set(names)) < len(names):
        raise ConfigurationError(f"{rule} names its own field, or one field twice: name others, each once")
    if model.model_config.get("validate_assignment"):
        raise ConfigurationError(f"{rule} needs the whole input: leave validate_assignment off, validate it anew")
    asked = names if placed.name is None else placed.rule.asks_presence_of
    for name in asked:
        if not fields[name].is_required() and not _blank_default(fields[name]):
            raise ConfigurationError(f"{rule} asks whether {name} is there: give {name} the default None")
    if placed.name is None:
        return
    info = fields[placed.name]
    if placed.rule.asks_own_presence and (info.is_required() or not _blank_default(info)):
        raise ConfigurationError(f"{rule} says whether the field must be there: give it the default None")
    alias = info.validation_alias
    if alias is not None and not isinstance(alias, str):
        raise ConfigurationError(f"{rule} needs one name to point at: give the field a plain alias")


def _blank_default(info: FieldInfo) -> bool:
    if info.default_factory_takes_validated_data:
        return False
    return blank(info.get_default(call_default_factory=True))


class _Unseen:
    """Metadata that makes the unseen field: its value is the check, and JSON Schema knows nothing of it."""

    __slots__ = ("_together",)

    def __init__(self, together: Together) -> None:
        self._together = together

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        check = core_schema.with_info_plain_validator_function(self._together)
        return core_schema.with_default_schema(check, default=_NOT_SENT, validate_default=True)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> NoReturn:
        raise PydanticOmit


def joined(model: type[Input], source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """The schema of ``model`` with the rules between its fields, as it is where there are none.

    Raises :class:`ConfigurationError` for a rule that names what is no field, or that could not work.
    """
    if not model.__pydantic_fields_complete__ and not model.model_rebuild(raise_errors=False):
        raise PydanticUndefinedAnnotation(name=model.__name__, message=f"{model.__name__} is not fully defined")
    token = _BUILDING.set(model)
    try:
        schema = handler.resolve_ref_schema(handler(source))
    finally:
        _BUILDING.reset(token)
    together = Together(model)
    if together:
        _join(cast(dict[str, Any], schema), together, handler)
    return schema


def _join(schema: dict[str, Any], together: Together, handler: GetCoreSchemaHandler) -> None:
    while schema["type"] != "model":
        schema = schema["schema"]
    parent = schema
    while parent["schema"]["type"] != "model-fields":
        parent = parent["schema"]
    bare: dict[str, Any] = parent["schema"]
    if UNSEEN in bare["fields"]:  # pydantic hands out the schema of a finished class again
        return
    unseen = core_schema.model_field(handler.generate_schema(Annotated[Any, _Unseen(together)]))
    # What is written out has no such field: a serializer that expects it would miss it.
    schema.setdefault("serialization", {**schema, "schema": bare})
    schema["serialization"].pop("ref", None)
    parent["schema"] = {**bare, "fields": {**bare["fields"], UNSEEN: unseen}}
