"""From models to JSON Schema 2020-12: the components of a document, each under a name that a reader would give it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind
from pydantic_core import core_schema

from ...errors import ConfigurationError

Schema: TypeAlias = dict[str, Any]
Mode: TypeAlias = Literal["validation", "serialization"]

REFERENCE = "#/components/schemas/"
# What a generic model is called behind its argument: Data[Medium] is a MediumAnswer.
_SUFFIXES = {"Data": "Answer", "DataWith": "Answer", "PageWith": "Page", "list": "List", "dict": "Map", "Union": ""}
_PARTS = re.compile(r"\w+|[\[\],|]")
_PATH = re.compile(r"(?:[\w<>]+\.)+")


class _Unsayable(PydanticInvalidForJsonSchema):
    """What has no JSON Schema; ``place`` names the field, from the inside out."""

    place = ""


class _Generator(GenerateJsonSchema):
    """Pydantic's own, without titles made of names; what it would warn of is an error."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """A field's name is no title."""
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:
        """What leaves has every field, also one with a default."""
        if self.mode == "serialization" and field["type"] != "typed-dict-field":
            return field.get("serialization_exclude_if") is None
        return super().field_is_required(field, total)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """A default says something to who sends, and nothing to who receives."""
        return self.generate_inner(schema["schema"]) if self.mode == "serialization" else super().default_schema(schema)

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        """A schema that leaves something out would be wrong."""
        raise _Unsayable(kind)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """A model, or the error that names the field at fault."""
        try:
            return super().model_schema(schema)
        except _Unsayable as error:
            if error.place.startswith("."):
                error.place = schema["cls"].__name__ + error.place
            raise

    def model_fields_schema(self, schema: core_schema.ModelFieldsSchema) -> JsonSchemaValue:
        """The fields of a model, or the error that names the one at fault."""
        try:
            return super().model_fields_schema(schema)
        except PydanticInvalidForJsonSchema as error:
            if isinstance(error, _Unsayable) and error.place:
                raise
            unsayable = _Unsayable(error.message)
            parts = {name: field["schema"] for name, field in schema["fields"].items()}
            parts |= {one["property_name"]: one["return_schema"] for one in schema.get("computed_fields", ())}
            unsayable.place = "." + next((name for name, part in parts.items() if not self._can_say(part)), "*")
            raise unsayable from None

    def _can_say(self, part: core_schema.CoreSchema) -> bool:
        try:
            self.generate_inner(part)
        except PydanticInvalidForJsonSchema:
            return False
        return True


class Components:
    """What a document says once, under a name, collected while it is made."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self.shared: dict[str, dict[str, Any]] = {}

    def share(self, section: str, name: str, part: Mapping[str, Any]) -> Schema:
        """A reference to what several operations say alike: a header, a parameter, an example."""
        self.shared.setdefault(section, {})[name] = part
        return {"$ref": f"#/components/{section}/{name}"}

    def document(self) -> dict[str, Any]:
        """All of them, sorted by name."""
        sections = {"schemas": self.schemas} | self.shared
        return {name: dict(sorted(sections[name].items())) for name in sorted(sections) if sections[name]}

    def put(self, name: str, schema: Schema, where: str) -> Schema:
        """A reference to ``schema`` by its ``name``; :class:`ConfigurationError` where another one has that."""
        if self.schemas.setdefault(name, schema) != schema:
            raise ConfigurationError(f"{where}: two different schemas would be called {name}: rename one of the models")
        return {"$ref": REFERENCE + name}

    def refer(self, kind: Any, mode: Mode, where: str) -> Schema:
        """The schema of a type; a reference where it has a name."""
        found, definitions = _generated(kind, mode, where)
        for name, schema in definitions.items():
            self.put(name, schema, where)
        return found

    def spelt_out(self, model: type[BaseModel], where: str) -> Schema:
        """The schema of a model whose own name is no component, as that of a query."""
        found, definitions = _generated(model, "validation", where)
        own = definitions.pop(found.get("$ref", "").removeprefix(REFERENCE), found)
        for name, schema in definitions.items():
            self.put(name, schema, where)
        return own

    def resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """``schema`` itself, or what it refers to."""
        while "$ref" in schema:
            name = schema["$ref"].removeprefix(REFERENCE)
            if name not in self.schemas:  # of a query that holds itself
                return {"type": "object"}
            schema = self.schemas[name]
        return schema


def without_null(schema: Schema) -> Schema:
    """``schema`` of a text that is sent or left out: it cannot be ``null``."""
    branches = schema.get("anyOf")
    if branches is None or {"type": "null"} not in branches:
        return schema
    kept = [one for one in branches if one != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf" and (key, value) != ("default", None)}
    return {**kept[0], **rest} if len(kept) == 1 else {"anyOf": kept, **rest}


def _generated(kind: Any, mode: Mode, where: str) -> tuple[Schema, dict[str, Schema]]:
    try:
        made = TypeAdapter.json_schemas(
            [("it", mode, TypeAdapter(kind))], ref_template=REFERENCE + "{model}", schema_generator=_Generator
        )
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError) as error:
        place = getattr(error, "place", "") or _told(kind)
    else:
        return _named(made[0]["it", mode], made[1].get("$defs", {}), where)
    raise ConfigurationError(
        f"{where}: JSON Schema cannot say {place}: use another type or default, or WithJsonSchema()"
    )


def _named(found: Schema, definitions: dict[str, Schema], where: str) -> tuple[Schema, dict[str, Schema]]:
    """The same with the names that a reader would give."""
    names = {key: _readable(key, schema.get("title", ""), where) for key, schema in definitions.items()}
    if len(set(names.values())) < len(names):
        twice = next(name for name in names.values() if list(names.values()).count(name) > 1)
        raise ConfigurationError(f"{where}: two models would be called {twice}: rename one of them")
    renamed = {}
    for key, schema in definitions.items():
        if _is_name(key, schema.get("title", "")):
            schema.pop("title")
        renamed[names[key]] = _redirected(schema, names)
    return _redirected(found, names), renamed


def _is_name(key: str, title: str) -> bool:
    """Whether the title is the model's name, not the application's own: pydantic's key for it is made of the same."""
    return bool(title) and _words(key) == _words(_PATH.sub("", title))


def _words(text: str) -> str:
    return re.sub(r"[\W_]+", "_", text)


def _readable(key: str, title: str, where: str) -> str:
    if _is_name(key, title):
        return _spoken(_PARTS.findall(_PATH.sub("", title))) or key
    if title and key.endswith(f"__{_PATH.sub('', title)}"):
        raise ConfigurationError(f"{where}: two models are called {title}: rename one of them")
    return key


def _spoken(parts: list[str]) -> str:
    """``Data[list[Tag]]`` as ``TagListAnswer``: reads one type of ``parts`` and takes it away."""
    spoken = ""
    while parts and parts[0] not in {"]", ","}:
        name = parts.pop(0)
        if name in {"|", "[", "None", "NoneType"}:
            continue
        if parts[:1] == ["["]:
            arguments = []
            while parts and parts.pop(0) != "]":
                arguments.append(_spoken(parts))
            kept = arguments[-1:] if name == "dict" else arguments
            spoken += "".join(kept) + _SUFFIXES.get(name, name)
        else:
            spoken += name[:1].upper() + name[1:]
    return spoken


def _redirected(schema: Any, names: Mapping[str, str]) -> Any:
    """``schema`` with references to the new ``names``; texts that are none stay."""
    if isinstance(schema, list):
        return [_redirected(one, names) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _redirected(value, names) for key, value in schema.items()}
    if isinstance(made.get("$ref"), str):
        made["$ref"] = _target(made["$ref"], names)
    choice = made.get("discriminator")
    if isinstance(choice, dict) and isinstance(choice.get("mapping"), dict):
        made["discriminator"] = {
            **choice,
            "mapping": {key: _target(at, names) for key, at in choice["mapping"].items()},
        }
    return made


def _target(reference: str, names: Mapping[str, str]) -> str:
    key = reference.removeprefix(REFERENCE)
    return REFERENCE + names[key] if key in names else reference


def _told(kind: Any) -> str:
    return getattr(kind, "__name__", "the type")
