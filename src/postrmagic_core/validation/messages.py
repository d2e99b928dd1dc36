"""The texts of every error, by code: constant words and the developer's own limits, never anything that was sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Catalogue: TypeAlias = Mapping[str, str | tuple[str, str]]
"""Code → text, or (singular, plural) chosen by the first number the text names. ``{name}`` is filled from the rule."""

GENERIC = "is not valid"

ENGLISH: Catalogue = {
    # pydantic's codes
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "string_type": "must be text",
    "string_too_short": ("must have at least {min_length} character", "must have at least {min_length} characters"),
    "string_too_long": ("must have at most {max_length} character", "must have at most {max_length} characters"),
    "string_pattern_mismatch": "does not have the expected form",
    "too_short": ("must have at least {min_length} item", "must have at least {min_length} items"),
    "too_long": ("must have at most {max_length} item", "must have at most {max_length} items"),
    "bytes_too_short": ("must have at least {min_length} byte", "must have at least {min_length} bytes"),
    "bytes_too_long": ("must have at most {max_length} byte", "must have at most {max_length} bytes"),
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "decimal_type": "must be a decimal number",
    "decimal_parsing": "must be a decimal number",
    "decimal_max_digits": ("must have at most {max_digits} digit", "must have at most {max_digits} digits"),
    "decimal_max_places": (
        "must have at most {decimal_places} decimal place",
        "must have at most {decimal_places} decimal places",
    ),
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "none_required": "must be null",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dataclass_type": "must be an object",
    "invalid_key": "must have texts as its names",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "union_tag_invalid": "is of no known kind; expected {expected_tags}",
    "union_tag_not_found": "lacks the field that says its kind",
    "date_type": "must be a date (YYYY-MM-DD)",
    "date_parsing": "must be a date (YYYY-MM-DD)",
    "date_from_datetime_parsing": "must be a date (YYYY-MM-DD)",
    "date_from_datetime_inexact": "must be a date without a time",
    "date_past": "must be in the past",
    "date_future": "must be in the future",
    "datetime_type": "must be a date and time (RFC 3339)",
    "datetime_parsing": "must be a date and time (RFC 3339)",
    "datetime_from_date_parsing": "must be a date and time (RFC 3339)",
    "datetime_past": "must be in the past",
    "datetime_future": "must be in the future",
    "timezone_aware": "must say its time zone",
    "timezone_naive": "must not say a time zone",
    "time_type": "must be a time (HH:MM:SS)",
    "time_parsing": "must be a time (HH:MM:SS)",
    "time_delta_type": "must be a duration (ISO 8601)",
    "time_delta_parsing": "must be a duration (ISO 8601)",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "is_instance_of": "is of the wrong kind",
    "url_type": "must be a URL",
    "url_parsing": "must be a URL",
    "url_scheme": "must be a URL that begins with {expected_schemes}",
    "url_too_long": ("must have at most {max_length} character", "must have at most {max_length} characters"),
    # this package's codes
    "limit.bytes": "is too large: at most {limit} bytes",
    "limit.depth": "is nested too deeply: at most {limit} levels",
    "limit.items": "has too many parts: at most {limit}",
    "json.invalid": "is not valid JSON",
    "json.bom": "begins with a byte order mark: send UTF-8 without one",
    "json.encoding": "is not valid UTF-8",
    "json.constant": "holds NaN or Infinity, which JSON does not know",
    "json.number": "holds a number that is too large",
    "json.duplicate_key": "names the same field twice",
    "form.repeated": "was sent more than once",
    "form.text_expected": "must be text, not a file",
    "text.control": "must not hold control or direction-changing characters",
    "text.marks": "has too many accents on one character",
    "text.required": "must not be empty",
    "tag.characters": "may hold letters, digits, spaces and - _ + . # & '",
    "html.elements": "has too many elements: at most {limit}",
    "html.unstable": "cannot be cleaned: simplify the markup",
    "upload.empty": "is empty",
    "upload.too_large": "is too large: at most {limit} bytes",
    "upload.unknown_format": "must be one of these image formats: {formats}",
    "upload.name_mismatch": "has a name that does not fit its content",
    "upload.too_many_pixels": "has too many pixels: at most {limit}",
    "upload.animated": ("has too many frames: at most {limit} frame", "has too many frames: at most {limit} frames"),
    "upload.truncated": "is incomplete",
    "upload.trailing_data": "holds more than the image",
    "upload.corrupt": "is damaged",
    "upload.too_costly": "takes too much memory or time to read",
}


class _Gaps(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "…"


def text(code: str, context: Mapping[str, Any], catalogue: Catalogue = ENGLISH) -> str | None:
    """The message for ``code`` from ``catalogue``, else from English, else ``None``."""
    found = catalogue.get(code) or ENGLISH.get(code)
    if found is None:
        return None
    if isinstance(found, tuple):
        number = next((value for name, value in context.items() if f"{{{name}}}" in found[1]), None)
        found = found[0] if number == 1 else found[1]
    return found.format_map(_Gaps(context))
