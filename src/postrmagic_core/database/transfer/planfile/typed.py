"""What a file holds, made into the dataclasses it stands for: exactly by their types, or refused. Pure."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from ....errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

_WORDS = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    float: "a number",
    list: "a list",
    dict: "a table",
}


def made(kind: type[T], found: object, where: str) -> T:
    """The ``kind`` that ``found`` says.

    Raises :class:`ConfigurationError` with the place, what was expected there and what is there.
    """
    if not isinstance(found, dict):
        raise _wrong(where, "a table", found)
    hints, known = _parts(kind)
    for name in found:
        if name not in known:
            raise ConfigurationError(f"{where}: there is no key {name!r}; expected are: {', '.join(known)}")
    for name, field in known.items():
        if name not in found and field.default is MISSING:
            raise ConfigurationError(f"{where}: the key {name!r} is missing")
    return kind(**{name: _value(hints[name], value, f"{where}: {name}") for name, value in found.items()})


@cache
def _parts(kind: type[DataclassInstance]) -> tuple[dict[str, Any], dict[str, Field[Any]]]:
    """The types of its fields, and the fields."""
    return get_type_hints(kind), {field.name: field for field in fields(kind)}


def _place(where: str, found: object, number: int) -> str:
    if isinstance(found, dict):
        for name in ("name", "id", "target", "column", "key"):
            if isinstance(found.get(name), str):
                return f"{where} {found[name]!r}"
    return f"{where}, number {number}"


def _value(kind: Any, found: object, where: str) -> Any:
    if get_origin(kind) is tuple:
        if not isinstance(found, list):
            raise _wrong(where, "a list", found)
        each = get_args(kind)[0]
        return tuple(_value(each, one, _place(where, one, number)) for number, one in enumerate(found, 1))
    if isinstance(kind, type) and is_dataclass(kind):
        return made(kind, found, where)
    if get_origin(kind) is Literal:
        if found not in get_args(kind):
            raise ConfigurationError(f"{where}: expected one of {', '.join(get_args(kind))}; found {found!r}")
        return found
    plain = next(one for one in (*get_args(kind), kind) if one is not type(None))  # X | None is an X where it is given
    if type(found) is not plain:
        raise _wrong(where, _WORDS[plain], found)
    return found


def _wrong(where: str, expected: str, found: object) -> ConfigurationError:
    return ConfigurationError(f"{where}: expected {expected}, found {_WORDS.get(type(found), 'something else')}")
