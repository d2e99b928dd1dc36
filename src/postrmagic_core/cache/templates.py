"""Keys and tags made of a function's arguments: templates, checked against its signature before it is ever called."""

from __future__ import annotations

import datetime as dt
import enum
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from string import Formatter
from typing import Any, TypeAlias
from uuid import UUID

from ..errors import ConfigurationError

_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
# What a spelled value is written in. What follows a field in a key begins with something else, so it is seen to end.
_SPELLED = re.compile(r"[\w.~%'+\-()\[\]{},=]")
_ESCAPED = re.compile(r"[^A-Za-z0-9_.~-]")


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or an attribute of one (``self.id``: ``parameter`` and the names to follow from there)."""

    parameter: str
    attributes: tuple[str, ...]

    def of(self, arguments: Mapping[str, Any]) -> Any:
        """Its value in a call."""
        value = arguments[self.parameter]
        if not self.attributes:  # nearly always: a loop over nothing would cost a quarter more
            return value
        for name in self.attributes:
            value = getattr(value, name)
        return value


Part: TypeAlias = str | Field


class KeyTemplate:
    """The key of a call: different values of the named parameters never give the same key, nor do ``1`` and ``"1"``.

    Made at decoration; raises :class:`ConfigurationError` for a template that ``function`` cannot fill, or that leaves
    a parameter out which is not in ``ignore``.
    """

    def __init__(self, template: str, function: Callable[..., Any], ignore: Collection[str]) -> None:
        self._function = _name_of(function)
        self.parameters = inspect.signature(function).parameters
        parts = _parsed(template, self._function)
        _check_known(template, parts, self.parameters, self._function)
        _check_ends(template, parts, self._function)
        self._fields = [part for part in parts if isinstance(part, Field)]
        self._format = "".join("%s" if isinstance(part, Field) else part.replace("%", "%%") for part in parts)
        self._check_complete(template, ignore)

    @property
    def named(self) -> set[str]:
        """The parameters in it."""
        return {field.parameter for field in self._fields}

    def of(self, arguments: Mapping[str, Any]) -> str:
        """The key. A value without a spelling is a :class:`TypeError` that names the parameter, never its value."""
        values = [(field, field.of(arguments)) for field in self._fields]
        try:
            return self._format % tuple([spelled(value) for _, value in values])
        except TypeError:
            for field, value in values:
                self._check(field, value)
            raise

    def _check(self, field: Field, value: object) -> None:
        try:
            spelled(value)
        except TypeError as error:
            path = ".".join((field.parameter, *field.attributes))
            raise TypeError(
                f"{self._function}: {{{path}}} is {error}, which has no place in a key: name an attribute of it that "
                f"tells one from another, such as {{{path}.id}}, or pass a plain value"
            ) from None

    def _check_complete(self, template: str, ignore: Collection[str]) -> None:
        for name in ignore:
            if name not in self.parameters:
                known = _listed(self.parameters)
                raise ConfigurationError(f"{self._function}: ignore names {name!r}, but the parameters are {known}")
            if name in self.named:
                raise ConfigurationError(f"{self._function}: {name!r} is in the key {template!r} and in ignore: choose")
        for name in self.parameters:
            if name not in self.named and name not in ignore:
                raise ConfigurationError(_incomplete(self._function, template, name))


class TagTemplate:
    """A tag of a call, spelled as an f-string would: so that ``invalidate(f"user:{user_id}")`` meets it.

    Different values may give the same tag; then one invalidation ends more entries than it must, never fewer.
    """

    def __init__(self, template: str, function: Callable[..., Any], key: KeyTemplate) -> None:
        self._parts = _parsed(template, _name_of(function))
        _check_known(template, self._parts, key.parameters, _name_of(function))
        for part in self._parts:
            if isinstance(part, Field) and part.parameter not in key.named:
                raise ConfigurationError(
                    f"{_name_of(function)}: the tag {template!r} names {part.parameter!r}, which the key ignores: "
                    "calls that share an entry would disagree about its tags"
                )

    def of(self, arguments: Mapping[str, Any]) -> str:
        """The tag."""
        return "".join(part if isinstance(part, str) else format(part.of(arguments)) for part in self._parts)


def spelled(value: object) -> str:
    """``value`` as text that no other value has, of whatever type; :class:`TypeError` (its type) if there is none."""
    kind = type(value)
    if kind in _PLAIN:
        return repr(value)
    if kind is str:
        return f"'{_escaped(value)}'"  # type: ignore[arg-type]  # compared just above
    if isinstance(value, enum.Enum):
        # A flag of several, or of none, may have no name.
        return _quoted(f"{kind.__module__}.{kind.__qualname__}", value.name or repr(value.value))
    if kind in _TEXTS:
        return _quoted(kind.__name__, _TEXTS[kind](value))
    if kind in _BRACKETS:
        opening, closing = _BRACKETS[kind]
        return opening + ",".join(_items(value)) + closing
    raise TypeError(kind.__qualname__)


def _moment(value: dt.datetime) -> str:
    if value.tzinfo is not None and type(value.tzinfo) is not dt.timezone:
        raise TypeError("datetime in a named time zone")
    return f"{value.isoformat()}{'~1' if value.fold else ''}"


_TEXTS: dict[type, Callable[[Any], str]] = {
    bytes: bytes.hex,
    Decimal: str,
    UUID: str,
    dt.datetime: _moment,
    dt.date: dt.date.isoformat,
    dt.timedelta: repr,
}
_PLAIN = {int, bool, float, type(None)}
_BRACKETS: dict[type, Sequence[str]] = {
    tuple: "()",
    list: "[]",
    set: "{}",
    frozenset: ("frozenset{", "}"),
    dict: ("dict{", "}"),
}


def _items(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from sorted(f"{spelled(key)}={spelled(item)}" for key, item in value.items())
    elif isinstance(value, set | frozenset):
        yield from sorted(map(spelled, value))
    else:
        yield from map(spelled, value)


def _quoted(kind: str, text: str) -> str:
    return f"{_escaped(kind)}'{_escaped(text)}'"


def _escaped(text: str) -> str:
    return text if text.isalnum() and text.isascii() else _ESCAPED.sub(_percent, text)


def _percent(match: re.Match[str]) -> str:
    # Keys become UTF-8, which has no lone surrogates; here they are bytes like any other.
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _parsed(template: str, function: str) -> list[Part]:
    if not template:
        raise ConfigurationError(f"{function}: a template is a non-empty string such as 'poster:{{media_id}}'")
    parts: list[Part] = []
    try:
        found = list(Formatter().parse(template))
    except ValueError as error:
        raise ConfigurationError(f"{function}: {template!r} is no template: {error}; write {{{{ for a brace") from None
    for text, path, spec, conversion in found:
        if text:
            parts.append(text)
        if path is None:
            continue
        if spec or conversion or not _PATH.fullmatch(path):
            wrong = f"{path}{'!' + conversion if conversion else ''}{':' + spec if spec else ''}"
            raise ConfigurationError(
                f"{function}: {{{wrong}}} in {template!r}: write {{parameter}} or {{parameter.attribute}}, nothing else"
            )
        parameter, *attributes = path.split(".")
        parts.append(Field(parameter, tuple(attributes)))
    return parts


def _check_known(template: str, parts: Iterable[Part], parameters: Collection[str], function: str) -> None:
    for part in parts:
        if not isinstance(part, Field):
            continue
        if part.parameter not in parameters:
            raise ConfigurationError(
                f"{function}: {template!r} names {part.parameter!r}, but the parameters are {_listed(parameters)}"
            )
        if part.parameter in {"self", "cls"} and not part.attributes:
            raise ConfigurationError(
                f"{function}: {{{part.parameter}}} in {template!r}: name an attribute that tells one from another, "
                f"such as {{{part.parameter}.id}}"
            )


def _check_ends(template: str, parts: Sequence[Part], function: str) -> None:
    for part, after in pairwise(parts):
        if isinstance(part, Field) and (isinstance(after, Field) or _SPELLED.match(after)):
            raise ConfigurationError(
                f"{function}: in {template!r} it cannot be seen where {{{part.parameter}}} ends: put a colon after it"
            )


def _incomplete(function: str, template: str, name: str) -> str:
    same = f"{function}: the key {template!r} leaves out {name!r}"
    if name in {"self", "cls"}:
        return (
            f"{same}, so that all would share their entries: name what tells one from another, such as {{{name}.id}}, "
            f"or say ignore=({name!r},) if the value does not depend on it"
        )
    return (
        f"{same}, so that calls which differ in it would share an entry: add {{{name}}}, or say ignore=({name!r},) if "
        "the value does not depend on it"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _name_of(function: Callable[..., Any]) -> str:
    return f"{getattr(function, '__qualname__', repr(function))}()"
