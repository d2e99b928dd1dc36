"""The same schema as :class:`.models.Poster` in marshmallow and Cerberus, each as its documentation has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from .models import SLUG

Check = Callable[[Mapping[str, Any]], bool]
"""Whether an input is valid."""


def marshmallow() -> Check:
    """``Schema().load``, which refuses unknown fields; :class:`ImportError` without the package."""
    library = import_module("marshmallow")
    fields, rules = library.fields, library.validate

    def text(longest: int, shortest: int = 1) -> Any:
        return fields.String(required=True, validate=rules.Length(min=shortest, max=longest))

    def whole(least: int, most: int) -> Any:
        return fields.Integer(required=True, strict=True, validate=rules.Range(min=least, max=most))

    venue = {"name": text(80), "city": text(80), "seats": whole(1, 200_000)}
    showing = {"day": whole(1, 366), "hour": whole(0, 23), "sold_out": fields.Boolean(required=True)}
    poster = {
        "title": text(200),
        "slug": fields.String(required=True, validate=[rules.Length(max=80), rules.Regexp(SLUG)]),
        "copies": whole(1, 500),
        "price": fields.Float(required=True, validate=rules.Range(min=0, max=10_000)),
        "public": fields.Boolean(required=True),
        "tags": fields.List(text(40), required=True, validate=rules.Length(max=20)),
        "venue": fields.Nested(library.Schema.from_dict(venue), required=True),
        "showings": fields.List(
            fields.Nested(library.Schema.from_dict(showing)), required=True, validate=rules.Length(min=1, max=30)
        ),
    }
    schema = library.Schema.from_dict(poster)()

    def check(data: Mapping[str, Any]) -> bool:
        try:
            schema.load(data)
        except library.ValidationError:
            return False
        return True

    return check


def cerberus(**options: bool) -> Check:
    """``Validator(schema).validate``, called with ``options``; :class:`ImportError` without the package."""
    library = import_module("cerberus")

    def text(longest: int) -> dict[str, Any]:
        return {"type": "string", "required": True, "minlength": 1, "maxlength": longest}

    def whole(least: int, most: int) -> dict[str, Any]:
        return {"type": "integer", "required": True, "min": least, "max": most}

    truth = {"type": "boolean", "required": True}
    venue = {"name": text(80), "city": text(80), "seats": whole(1, 200_000)}
    showing = {"day": whole(1, 366), "hour": whole(0, 23), "sold_out": truth}
    poster = {
        "title": text(200),
        "slug": {"type": "string", "required": True, "maxlength": 80, "regex": SLUG},
        "copies": whole(1, 500),
        "price": {"type": "float", "required": True, "min": 0, "max": 10_000},
        "public": truth,
        "tags": {"type": "list", "required": True, "maxlength": 20, "schema": text(40)},
        "venue": {"type": "dict", "required": True, "schema": venue},
        "showings": {
            "type": "list",
            "required": True,
            "minlength": 1,
            "maxlength": 30,
            "schema": {"type": "dict", "schema": showing},
        },
    }
    validator = library.Validator(poster)
    return lambda data: bool(validator.validate(data, **options))
