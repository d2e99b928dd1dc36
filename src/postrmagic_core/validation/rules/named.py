"""The rules by name, made from plain JSON parameters: ``NAMED["starts_with"].make(prefixes=["a"])``.

Names and parameters are stable. What :attr:`NamedRule.make` returns is metadata for ``Annotated``. It raises
:class:`ConfigurationError` for parameters that are unknown, missing, of another type or not possible; the parameters
may come from outside: their size is limited, and of their values nothing is shown.

A third party offers one so; definitions of forms may use it where the application says so, by :func:`offered`::

    [project.entry-points."postrmagic_core.rules"]
    plate = "postrmagic_plate:PLATE"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Literal, get_args

from pydantic import Field

from ...errors import ConfigurationError
from ...registry import RULES, Registry
from ..rule import require
from ..safe_html import SafeHtml
from ..urls import Url
from . import characters as chars
from . import codes, dates, encoded, finance, lists, names, network, numbers, parts, plain, products

_TEXT_LENGTH = 1_000
_LIST_LENGTH = 1_000
_LARGEST = 2**63 - 1
_SHOWN_NAME = 64

Kind = Literal["text", "number", "date", "list"]


@dataclass(frozen=True, slots=True, eq=False)
class NamedRule:
    """How to make one rule: for which ``kinds`` of value, with which ``parameters`` and which of them ``required``."""

    kinds: frozenset[Kind]
    parameters: Mapping[str, type]
    make: Callable[..., object] = field(repr=False)
    required: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Maker:
    name: str
    build: Callable[..., object]
    parameters: Mapping[str, type]
    required: frozenset[str]

    def __call__(self, /, **given: Any) -> object:
        unknown = sorted(name if _is_shown(name) else "…" for name in given.keys() - self.parameters.keys())
        self._require(not unknown, f"takes no {', '.join(unknown)}; known: {', '.join(self.parameters) or 'none'}")
        missing = sorted(self.required - given.keys())
        self._require(not missing, f"needs {', '.join(missing)}")
        for name, value in given.items():
            kind = self.parameters[name]
            self._require(_fits(value, kind), f"{name} must be {_SAID[kind]}")
        made = self.build(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})
        return made if not hasattr(made, "__metadata__") else get_args(made)[1]

    def _require(self, holds: bool, problem: str) -> None:
        require(holds, f"rule {self.name!r}: {problem}")


_SAID: Mapping[type, str] = {
    str: f"text of at most {_TEXT_LENGTH} characters",
    int: "a whole number",
    float: "a finite number",
    bool: "true or false",
    list: f"a list of at most {_LIST_LENGTH} texts or numbers",
}


def _is_shown(name: str) -> bool:
    return len(name) <= _SHOWN_NAME and name.isprintable()


def _fits(value: object, kind: type) -> bool:
    if kind is bool:
        return isinstance(value, bool)
    if kind is str:
        return isinstance(value, str) and len(value) <= _TEXT_LENGTH
    if kind is list:
        return isinstance(value, list) and len(value) <= _LIST_LENGTH and all(_is_scalar(one) for one in value)
    numbers_of = (int, float) if kind is float else (int,)
    return isinstance(value, numbers_of) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST


def _is_scalar(value: object) -> bool:
    return any(_fits(value, kind) for kind in (str, float, bool))


def _moment(rule: str, at: str) -> date | Literal["now"]:
    if at == "now":
        return "now"
    try:
        return datetime.fromisoformat(at) if len(at) > len("2026-01-01") else date.fromisoformat(at)
    except ValueError:
        raise ConfigurationError(f"rule {rule!r}: at must be 'now', a date or a date and time (ISO 8601)") from None


def _words_only(rule: str, several: tuple[object, ...]) -> tuple[str, ...]:
    require(all(isinstance(one, str) for one in several), f"rule {rule!r}: the list must hold texts only")
    return tuple(str(one) for one in several)


def _texts(rule: str, build: Callable[..., object], name: str) -> Callable[..., object]:
    return lambda **given: build(**{**given, name: _words_only(rule, given[name])})


def _dated(rule: str, build: Callable[..., object]) -> Callable[..., object]:
    return lambda at: build(_moment(rule, at))


def _length(min: int = 0, max: int = 65_536) -> object:
    require(0 <= min <= max, "rule 'length': min must be at least 0 and at most max")
    return Field(min_length=min, max_length=max)


def _url(*, ports: tuple[object, ...] | None = None, **given: Any) -> object:
    several: dict[str, Any] = {name: _words_only("url", given[name]) for name in ("schemes", "hosts") if name in given}
    require(all(isinstance(one, int) for one in ports or ()), "rule 'url': ports must be whole numbers")
    several["ports"] = ports
    return Url(**given | several)


_NONE: Mapping[str, type] = MappingProxyType({})
_Row = tuple[str, Callable[..., object], Mapping[str, type], str]
_MAX: Mapping[str, type] = {"max": int}


def _simple(alias: Any) -> Callable[[], object]:
    return lambda: alias


# Kinds, how it is built, its parameters, those that are required.
_ROWS: Mapping[str, _Row] = {
    "plain_text": ("text", plain.PlainText, {"max": int, "min": int, "lines": bool}, "max"),
    "clean_text": ("text", plain.CleanText, {"max": int, "min": int, "lines": bool}, "max"),
    "csv_text": ("text", plain.CsvText, _MAX, ""),
    "safe_html": ("text", SafeHtml, {}, ""),
    "slug": ("text", _simple(plain.Slug), {}, ""),
    "tag": ("text", _simple(plain.Tag), {}, ""),
    "filename": ("text", _simple(plain.Filename), {}, ""),
    "length": ("text list", _length, {"min": int, "max": int}, ""),
    "ascii": ("text", chars.Ascii, _MAX, ""),
    "alpha": ("text", chars.Alpha, {**_MAX, "ascii": bool}, ""),
    "alphanumeric": ("text", chars.Alphanumeric, {**_MAX, "ascii": bool, "extra": str}, ""),
    "lowercase": ("text", chars.Lowercase, _MAX, ""),
    "uppercase": ("text", chars.Uppercase, _MAX, ""),
    "not_blank": ("text", chars.NotBlank, _MAX, ""),
    "single_line": ("text", chars.SingleLine, _MAX, ""),
    "no_control": ("text", chars.NoControl, {**_MAX, "lines": bool}, ""),
    "starts_with": (
        "text",
        _texts("starts_with", parts.StartsWith, "prefixes"),
        {**_MAX, "prefixes": list},
        "prefixes",
    ),
    "ends_with": ("text", _texts("ends_with", parts.EndsWith, "suffixes"), {**_MAX, "suffixes": list}, "suffixes"),
    "contains": ("text", _texts("contains", parts.Contains, "parts"), {**_MAX, "parts": list}, "parts"),
    "excludes": ("text", _texts("excludes", parts.Excludes, "parts"), {**_MAX, "parts": list}, "parts"),
    "words": ("text", parts.Words, {"max": int, "min": int, "max_length": int}, "max"),
    "matches": ("text", parts.Matches, {"pattern": str, **_MAX}, "pattern"),
    "no_confusables": ("text", names.NoConfusables, {**_MAX, "whole": bool}, ""),
    "username": ("text", names.Username, {"min": int, "max": int}, ""),
    "digits": ("text", numbers.Digits, {"min": int, "max": int}, "min"),
    "decimal_places": ("number", numbers.DecimalPlaces, {"max": int}, "max"),
    "percentage": ("number", numbers.Percentage, {}, ""),
    "port": ("number", _simple(numbers.Port), {}, ""),
    "latitude": ("number", _simple(numbers.Latitude), {}, ""),
    "longitude": ("number", _simple(numbers.Longitude), {}, ""),
    "even": ("number", numbers.Even, {}, ""),
    "odd": ("number", numbers.Odd, {}, ""),
    "step_of": ("number", numbers.StepOf, {"step": float, "start": float}, "step"),
    "between": ("number", numbers.Between, {"low": float, "high": float}, "low high"),
    "distinct": ("list", lists.Distinct, {"by": str, "max": int}, ""),
    "contains_all": ("list", lists.ContainsAll, {"values": list, "max": int}, "values"),
    "one_of": ("text number", lists.OneOf, {"values": list, "shown": bool}, "values"),
    "none_of": ("text number", lists.NoneOf, {"values": list}, "values"),
    "before": ("date", _dated("before", dates.Before), {"at": str}, "at"),
    "after": ("date", _dated("after", dates.After), {"at": str}, "at"),
    "min_age": ("date", dates.MinAge, {"years": int}, "years"),
    "max_age": ("date", dates.MaxAge, {"years": int}, "years"),
    "weekday": ("date", _texts("weekday", dates.Weekday, "days"), {"days": list}, "days"),
    "time_zone": ("text", _simple(dates.TimeZoneName), {}, ""),
    "luhn": ("text", _simple(finance.Luhn), {}, ""),
    "card_number": ("text", _simple(finance.CardNumber), {}, ""),
    "iban": ("text", _simple(finance.Iban), {}, ""),
    "bic": ("text", _simple(finance.Bic), {}, ""),
    "isin": ("text", _simple(finance.Isin), {}, ""),
    "currency": ("text", _simple(finance.CurrencyCode), {}, ""),
    "isbn": ("text", _simple(products.Isbn), {}, ""),
    "isbn10": ("text", _simple(products.Isbn10), {}, ""),
    "isbn13": ("text", _simple(products.Isbn13), {}, ""),
    "issn": ("text", _simple(products.Issn), {}, ""),
    "gtin": ("text", _simple(products.Gtin), {}, ""),
    "ean": ("text", _simple(products.Ean), {}, ""),
    "imei": ("text", _simple(products.Imei), {}, ""),
    "hostname": ("text", _simple(network.Hostname), {}, ""),
    "domain": ("text", _simple(network.DomainName), {}, ""),
    "email": ("text", _simple(network.EmailAddress), {}, ""),
    "url": ("text", _url, {"schemes": list, "hosts": list, "ports": list, "addresses": bool, **_MAX}, ""),
    "mac": ("text", _simple(network.MacAddress), {}, ""),
    "phone": ("text", _simple(network.E164), {}, ""),
    "ulid": ("text", _simple(codes.Ulid), {}, ""),
    "semver": ("text", _simple(codes.SemVer), {}, ""),
    "hex_color": ("text", _simple(codes.HexColor), {}, ""),
    "country": ("text", _simple(codes.CountryCode), {}, ""),
    "language": ("text", _simple(codes.LanguageTag), {}, ""),
    "mime_type": ("text", _simple(codes.MimeType), {}, ""),
    "base64": ("text", encoded.Base64Text, {"max": int, "urlsafe": bool}, ""),
    "json": ("text", encoded.JsonText, {"max": int}, ""),
}


def named_rule(
    name: str, build: Callable[..., object], *, kinds: str, parameters: Mapping[str, type] = _NONE, required: str = ""
) -> NamedRule:
    """A rule that definitions may use as ``name``: ``build`` makes it of ``parameters``, checked before.

    ``kinds``: for which values it is, words of ``text number date list``. The type of a parameter is ``str``, ``int``,
    ``float``, ``bool`` or ``list``; ``required`` are the words of those that may not be left out.
    :class:`ConfigurationError` for others.
    """
    fitting = frozenset(kind for kind in get_args(Kind) if kind in kinds.split())
    require(len(fitting) == len(kinds.split()) > 0, f"rule {name!r}: kinds are words of text, number, date, list")
    require(all(kind in _SAID for kind in parameters.values()), f"rule {name!r}: a parameter has no type that JSON has")
    needed = frozenset(required.split())
    require(needed <= parameters.keys(), f"rule {name!r}: what is required is a parameter")
    maker = _Maker(name, build, MappingProxyType(dict(parameters)), needed)
    return NamedRule(fitting, maker.parameters, maker, maker.required)


def _named(name: str, row: _Row) -> NamedRule:
    kinds, build, parameters, required = row
    return named_rule(name, build, kinds=kinds, parameters=parameters, required=required)


NAMED: Mapping[str, NamedRule] = MappingProxyType({name: _named(name, row) for name, row in _ROWS.items()})
"""Every rule that plain data can describe, by its stable name."""


def offered(*names: str, registry: Registry | None = None) -> Mapping[str, NamedRule]:
    """The rules that installed packages offer under these names, for :func:`~.definitions.build`; no other is loaded.

    Raises :class:`UnknownScheme` for a name that none offers, and :class:`PluginRejected`.
    """
    known = registry or Registry()
    return {name: known.named(RULES, name) for name in names}
