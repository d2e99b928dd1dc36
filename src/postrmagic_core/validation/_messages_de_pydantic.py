"""The texts of pydantic's errors in German."""

from __future__ import annotations

_LIST = "muss eine Liste sein"
_OBJECT = "muss ein Objekt sein"
_WHOLE = "muss eine ganze Zahl sein"
_NUMBER = "muss eine Zahl sein"
_DECIMAL = "muss eine Dezimalzahl sein"
_FRACTION = "muss ein Bruch sein"
_COMPLEX = "muss eine komplexe Zahl sein"
_TRUTH = "muss wahr oder falsch sein (true, false)"
_DATE = "muss ein Datum sein (JJJJ-MM-TT)"
_MOMENT = "muss Datum und Uhrzeit sein (RFC 3339)"
_TIME = "muss eine Uhrzeit sein (HH:MM:SS)"
_DURATION = "muss eine Dauer sein (ISO 8601)"
_PAST = "muss in der Vergangenheit liegen"
_FUTURE = "muss in der Zukunft liegen"
_UUID = "muss eine UUID sein"
_URL = "muss eine URL sein"
_REQUIRED = "fehlt"
_UNKNOWN = "ist kein bekanntes Feld"
_KIND = "ist von der falschen Art"
_TWICE = "wurde mehrfach gesendet"
_UNREADABLE = "ist nicht lesbar"
_FIXED = "ist nicht änderbar"
_INVALID = "ist ungültig"
_OUT = "muss weggelassen werden"
_ENCODING = "ist kein gültiges UTF-8"
_AT_MOST = ("darf höchstens {max_length} Zeichen haben", "darf höchstens {max_length} Zeichen haben")

PYDANTIC: dict[str, str | tuple[str, str]] = {
    "missing": _REQUIRED,
    "extra_forbidden": _UNKNOWN,
    "string_type": "muss Text sein",
    "string_too_short": (
        "muss mindestens {min_length} Zeichen haben",
        "muss mindestens {min_length} Zeichen haben",
    ),
    "string_too_long": _AT_MOST,
    "string_pattern_mismatch": "hat nicht die erwartete Form",
    "too_short": ("muss mindestens {min_length} Eintrag haben", "muss mindestens {min_length} Einträge haben"),
    "too_long": ("darf höchstens {max_length} Eintrag haben", "darf höchstens {max_length} Einträge haben"),
    "bytes_too_short": ("muss mindestens {min_length} Byte haben", "muss mindestens {min_length} Bytes haben"),
    "bytes_too_long": ("darf höchstens {max_length} Byte haben", "darf höchstens {max_length} Bytes haben"),
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": "ist eine zu große Zahl",
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "muss eine endliche Zahl sein",
    "decimal_type": _DECIMAL,
    "decimal_parsing": _DECIMAL,
    "decimal_max_digits": ("darf höchstens {max_digits} Ziffer haben", "darf höchstens {max_digits} Ziffern haben"),
    "decimal_max_places": (
        "darf höchstens {decimal_places} Nachkommastelle haben",
        "darf höchstens {decimal_places} Nachkommastellen haben",
    ),
    "greater_than": "muss größer sein als {gt}",
    "greater_than_equal": "muss mindestens {ge} sein",
    "less_than": "muss kleiner sein als {lt}",
    "less_than_equal": "darf höchstens {le} sein",
    "multiple_of": "muss ein Vielfaches von {multiple_of} sein",
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "none_required": "muss null sein",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "invalid_key": "darf als Namen nur Texte haben",
    "enum": "muss einer dieser Werte sein: {expected}",
    "literal_error": "muss einer dieser Werte sein: {expected}",
    "union_tag_invalid": "ist von keiner bekannten Art; möglich: {expected_tags}",
    "union_tag_not_found": "hat kein Feld, das die Art nennt",
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": "muss ein Datum ohne Uhrzeit sein",
    "date_past": _PAST,
    "date_future": _FUTURE,
    "datetime_type": _MOMENT,
    "datetime_parsing": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
    "datetime_past": _PAST,
    "datetime_future": _FUTURE,
    "timezone_aware": "muss eine Zeitzone nennen",
    "timezone_naive": "darf keine Zeitzone nennen",
    "time_type": _TIME,
    "time_parsing": _TIME,
    "time_delta_type": _DURATION,
    "time_delta_parsing": _DURATION,
    "uuid_type": _UUID,
    "uuid_parsing": _UUID,
    "is_instance_of": _KIND,
    "url_type": _URL,
    "url_parsing": _URL,
    "url_scheme": "muss eine URL sein, die so beginnt: {expected_schemes}",
    "url_too_long": _AT_MOST,
    "no_such_attribute": _KIND,
    "json_type": "muss ein JSON-Text sein",
    "needs_python_object": "lässt sich nicht als JSON senden",
    "recursion_loop": "enthält sich selbst",
    "recursion_depth_exceeded": "ist zu tief verschachtelt",
    "frozen_field": _FIXED,
    "frozen_instance": _FIXED,
    "get_attribute_error": _UNREADABLE,
    "dataclass_exact_type": _OBJECT,
    "named_tuple_type": _LIST,
    "default_factory_not_called": "hat keine Vorgabe, solange ein anderes Feld ungültig ist",
    "iterable_type": _LIST,
    "iteration_error": _UNREADABLE,
    "string_unicode": _ENCODING,
    "string_not_ascii": "darf nur ASCII-Zeichen enthalten",
    "mapping_type": _OBJECT,
    "frozen_dict_type": _OBJECT,
    "ordered_dict_type": _OBJECT,
    "counter_type": _OBJECT,
    "deque_type": _LIST,
    "set_item_not_hashable": "darf nur einfache Werte enthalten",
    "bytes_type": "muss aus Bytes bestehen",
    "bytes_invalid_encoding": "ist kein gültiges {encoding}",
    "value_error": _INVALID,
    "assertion_error": _INVALID,
    "missing_sentinel_error": _OUT,
    "ellipsis_error": _OUT,
    "datetime_object_invalid": _MOMENT,
    "timezone_offset": "muss {tz_expected} Sekunden von UTC abweichen",
    "is_subclass_of": _KIND,
    "callable_type": "muss aufrufbar sein",
    "arguments_type": "muss ein Objekt oder eine Liste sein",
    "missing_argument": _REQUIRED,
    "missing_keyword_only_argument": _REQUIRED,
    "missing_positional_only_argument": _REQUIRED,
    "unexpected_keyword_argument": _UNKNOWN,
    "unexpected_positional_argument": "ist ein Wert zu viel",
    "multiple_argument_values": _TWICE,
    "url_syntax_violation": _URL,
    "uuid_version": "muss eine UUID der Version {expected_version} sein",
    "decimal_whole_digits": (
        "darf höchstens {whole_digits} Vorkommastelle haben",
        "darf höchstens {whole_digits} Vorkommastellen haben",
    ),
    "fraction_type": _FRACTION,
    "fraction_parsing": _FRACTION,
    "complex_type": _COMPLEX,
    "complex_str_parsing": _COMPLEX,
}
