"""The table of rules: each code, whether it breaks clients, and why.

A schema that admits fewer values breaks requests and not answers; one that admits more breaks answers and not
requests: what clients send is contravariant, what they are sent is covariant. A change that does both breaks either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .interface import Kind, Side

Effect: TypeAlias = Literal["narrower", "wider", "changed"]

SIDES: tuple[Side, Side] = ("request", "response")
_EFFECTS: Mapping[tuple[Side, Effect], Kind] = {
    ("request", "narrower"): "breaking",
    ("request", "wider"): "additive",
    ("request", "changed"): "breaking",
    ("response", "narrower"): "additive",
    ("response", "wider"): "breaking",
    ("response", "changed"): "breaking",
}

# Keyword of a schema -> 1 where a greater number admits fewer values, -1 where a smaller one does.
BOUNDS: Mapping[str, int] = {
    "minimum": 1,
    "maximum": -1,
    "minLength": 1,
    "maxLength": -1,
    "minItems": 1,
    "maxItems": -1,
    "minProperties": 1,
    "maxProperties": -1,
}
# Keywords that admit fewer values where they stand, and of whose two values nobody knows which admits more.
FORMS = ("pattern", "format", "multipleOf", "uniqueItems", "contentMediaType", "contentEncoding")

_SNAKE = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_items",
    "maxItems": "max_items",
    "minProperties": "min_properties",
    "maxProperties": "max_properties",
    "multipleOf": "multiple_of",
    "uniqueItems": "unique_items",
    "contentMediaType": "content_media_type",
    "contentEncoding": "content_encoding",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One code: its kind, and what it means for clients."""

    code: str
    kind: Kind
    meaning: str


_VALUES: Mapping[str, tuple[Effect, str]] = {
    "type_changed": ("changed", "the value is of another type"),
    "type_narrowed": ("narrower", "fewer types or alternatives are possible"),
    "type_widened": ("wider", "more types or alternatives are possible"),
    "null_removed": ("narrower", "null is not possible any more"),
    "null_added": ("wider", "null is possible"),
    "value_removed": ("narrower", "one of the listed values is not possible any more"),
    "value_added": ("wider", "a value is possible that was not listed"),
    "values_limited": ("narrower", "only listed values are possible"),
    "values_freed": ("wider", "values that were not listed are possible"),
}

_TOLD: tuple[tuple[str, Kind, str], ...] = (
    ("path.removed", "breaking", "the path is gone, with all its methods"),
    ("path.added", "additive", "a path is new"),
    ("path.renamed", "neutral", "a value of the path has another name; the URLs are the same"),
    ("operation.removed", "breaking", "the path does not take the method any more"),
    ("operation.added", "additive", "the path takes one more method"),
    ("operation.renamed", "breaking", "the operationId is another: a generated client's method has another name"),
    ("operation.named", "neutral", "the operation got an operationId"),
    ("operation.deprecated", "neutral", "the operation is announced to end"),
    ("operation.deprecation_removed", "neutral", "the operation is not announced to end any more"),
    ("operation.sunset_changed", "breaking", "the announced end is sooner than it was, or cannot be compared"),
    ("operation.sunset_moved", "neutral", "the announced end is new, later, or not announced any more"),
    ("parameter.removed", "breaking", "the parameter is gone: whoever sends it is refused, or not heard"),
    ("parameter.added", "additive", "a parameter is new and may be left out"),
    ("parameter.required_added", "breaking", "a parameter is new and must be sent"),
    ("parameter.required", "breaking", "the parameter must be sent now"),
    ("parameter.optional", "additive", "the parameter may be left out now"),
    ("parameter.encoding_changed", "breaking", "the parameter is written in another way"),
    ("parameter.deprecated", "neutral", "the parameter is announced to end"),
    ("parameter.deprecation_removed", "neutral", "the parameter is not announced to end any more"),
    ("request.removed", "breaking", "the operation takes no body any more"),
    ("request.added", "additive", "the operation takes a body, which may be left out"),
    ("request.required_added", "breaking", "the operation takes a body, which must be sent"),
    ("request.required", "breaking", "the body must be sent now"),
    ("request.optional", "additive", "the body may be left out now"),
    ("request.media_type_removed", "breaking", "a type of body is not taken any more"),
    ("request.media_type_added", "additive", "one more type of body is taken"),
    ("request.field_removed", "breaking", "the field is gone: whoever sends it is refused, or not heard"),
    ("request.field_added", "additive", "a field is new and may be left out"),
    ("request.required_field_added", "breaking", "a field is new and must be sent"),
    ("request.field_required", "breaking", "the field must be sent now"),
    ("request.field_optional", "additive", "the field may be left out now"),
    ("request.closed", "breaking", "fields without a name in the schema are refused"),
    ("request.opened", "additive", "fields without a name in the schema are not refused any more"),
    ("request.default_changed", "breaking", "a request that leaves it out means something else"),
    ("request.default_moved", "neutral", "a default is told, or not told any more"),
    ("request.deprecated", "neutral", "the field is announced to end"),
    ("request.deprecation_removed", "neutral", "the field is not announced to end any more"),
    ("response.status_removed", "breaking", "an answer of success is not given any more"),
    ("response.status_added", "breaking", "an answer of success is possible that clients do not know"),
    ("response.conditional_added", "additive", "304 or 206: an answer only to who asks for it"),
    ("response.error_removed", "neutral", "an answer of failure is not told any more"),
    ("response.error_added", "additive", "an answer of failure is possible that was not told"),
    ("response.media_type_removed", "breaking", "an answer is not of this type any more"),
    ("response.media_type_added", "additive", "an answer may be of one more type"),
    ("response.header_removed", "breaking", "the header is not sent any more"),
    ("response.header_added", "additive", "a header is new"),
    ("response.header_optional", "breaking", "the header may be missing"),
    ("response.header_required", "additive", "the header is always sent"),
    ("response.field_removed", "breaking", "the field is gone"),
    ("response.field_added", "additive", "a field is new"),
    ("response.unexpected_field_added", "breaking", "a field is new where the schema said that there are no others"),
    ("response.field_optional", "breaking", "the field may be missing"),
    ("response.field_required", "additive", "the field is always there"),
    ("response.closed", "additive", "there are no fields without a name in the schema"),
    ("response.opened", "additive", "there may be fields without a name in the schema"),
    ("response.default_changed", "neutral", "another default is told"),
    ("response.default_moved", "neutral", "a default is told, or not told any more"),
    ("response.deprecated", "neutral", "the field is announced to end"),
    ("response.deprecation_removed", "neutral", "the field is not announced to end any more"),
    ("problem.removed", "neutral", "the code of a problem is not told any more"),
    ("problem.added", "additive", "the code of a problem is told that was not"),
    ("security.tightened", "breaking", "credentials that were enough are not any more"),
    ("security.loosened", "additive", "other or fewer credentials are enough"),
    ("security.scheme_removed", "breaking", "a way to authenticate is gone"),
    ("security.scheme_added", "additive", "a way to authenticate is new"),
    ("security.scheme_changed", "breaking", "a way to authenticate works in another way"),
    ("server.removed", "breaking", "the API is not served there any more"),
    ("server.added", "additive", "the API is served at one more place"),
    ("schema.renamed", "neutral", "a schema has another name; what is sent is the same"),
    ("info.version_changed", "neutral", "the specification has another version"),
    ("undecided", "breaking", "the difference cannot be judged by its structure: somebody must look at it"),
)


def snake(keyword: str) -> str:
    """A keyword of JSON Schema as codes write it: ``max_length``."""
    return _SNAKE.get(keyword, keyword)


def _schemas() -> Iterator[Rule]:
    effects = dict(_VALUES)
    for keyword in (*BOUNDS, *FORMS):
        effects[f"{snake(keyword)}_tightened"] = ("narrower", f"{keyword} admits fewer values")
        effects[f"{snake(keyword)}_loosened"] = ("wider", f"{keyword} admits more values")
    for keyword in (form for form in FORMS if form != "uniqueItems"):  # which is true, or as good as absent
        effects[f"{snake(keyword)}_changed"] = ("changed", f"{keyword} admits other values")
    for side in SIDES:
        for name, (effect, meaning) in effects.items():
            yield Rule(f"{side}.{name}", _EFFECTS[side, effect], meaning)


RULES: Mapping[str, Rule] = {
    rule.code: rule for rule in (*(Rule(code, kind, meaning) for code, kind, meaning in _TOLD), *_schemas())
}
"""Every code that a comparison can give."""
