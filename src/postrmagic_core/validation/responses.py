"""Responses by model: what leaves is what a model declares, whatever the value holds beside (OWASP ASVS 15.3.1).

::

    class Medium(Output):
        id: int
        title: str

    MEDIA = Responses(Page[Medium])                # once, at import
    MEDIA.render({"data": rows, "next": cursor})   # -> Rendered(status, headers, body)

A row that gets a column does not tell it: only declared fields are looked at. What cannot be said in JSON, or is not of
the declared type, is a mistake of the application: nothing is sent but the answer to an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import isclass
from math import isfinite
from types import MappingProxyType
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticSerializationError

from ..errors import UsageError
from ._response_types import Disclosed, check_model, names_of
from .messages import ENGLISH, GENERIC
from .messages import text as message

__all__ = ["HEADERS", "Data", "Disclosed", "FiniteOrNull", "Output", "Page", "Rendered", "Responses"]

T = TypeVar("T")
_LONE = re.compile("[\ud800-\udfff]")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_TOLD = 10
_WORDS = {"recursion_loop": "is cyclic or nested too deeply", "get_attribute_error": "cannot be read"}
HEADERS: Mapping[str, str] = MappingProxyType(
    {"content-type": "application/json", "x-content-type-options": "nosniff", "cache-control": "no-store"}
)
"""What every answer says of itself, unless it says otherwise of who may store it."""
_CONFIG = ConfigDict(strict=True, allow_inf_nan=False, hide_input_in_errors=True)


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not isfinite(value) else value


FiniteOrNull = Annotated[float | None, BeforeValidator(_finite)]
"""A number that leaves as ``null`` where it is NaN or infinite; as a plain ``float`` it is refused."""


class Output(BaseModel):
    """What leaves: read from a mapping or from attributes (an ORM row, a dataclass, a model), strictly.

    Undeclared fields are passed over. Nothing is converted: text is ``str``, never bytes; numbers are finite. Lone
    surrogates become U+FFFD. An instance, also one of a subclass, is read anew. ``Field(validation_alias="created")``
    reads under another name, ``serialization_alias`` writes under one.

    A class with a field that must not leave raises :class:`ConfigurationError`: a ``SecretStr`` or bytes, a name that
    says secret (those that :mod:`postrmagic_core.log` masks) without :class:`Disclosed`, ``Any``, a model that is no
    ``Output``.
    """

    model_config = _CONFIG | ConfigDict(
        frozen=True,
        extra="ignore",
        from_attributes=True,
        revalidate_instances="always",
        validate_default=True,
        validate_by_alias=True,
        validate_by_name=True,
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse fields that must not leave. Those of names that are not defined yet :class:`Responses` looks at."""
        super().__pydantic_init_subclass__(**kwargs)
        if cls.__pydantic_complete__:
            check_model(cls, Output, filled=False)

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, Mapping):
            value = value if type(value) is dict else dict(value)
        try:
            return handler(value)
        except ValidationError as error:
            if not _about_surrogates(error):
                raise
        return handler(_mended(value if isinstance(value, dict) else _fields_of(cls, value)))


class Data(Output, Generic[T]):
    """The envelope ``{"data": …}``."""

    data: T


class Page(Output, Generic[T]):
    """A part of a collection: ``{"data": […], "next": cursor}``; without more to come ``next`` is ``null``."""

    data: list[T]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A response to be sent: ``headers`` with names in lower case, ``body`` in UTF-8."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Responses(Generic[T]):
    """Renders values as JSON by ``model``: an :class:`Output`, or a list, dictionary or union of such.

    Build it once and keep it: it is immutable and shared by threads. Raises :class:`ConfigurationError` for a model
    with a field that must not leave (see :class:`Output`).
    """

    def __init__(self, model: type[T]) -> None:
        kind: Any = model  # a list's type is no class, whatever type[T] says
        is_model = isclass(kind) and issubclass(kind, BaseModel)
        self._adapter: TypeAdapter[T] = TypeAdapter(model, config=None if is_model else _CONFIG)
        self._name = getattr(model, "__name__", "the type")
        check_model(model, Output)
        self._names = names_of(model)

    def render(self, value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Rendered:
        """``value`` as the response with this ``status``.

        It says ``content-type: application/json``, ``x-content-type-options: nosniff`` and ``cache-control: no-store``;
        of these ``headers`` may replace the last. Raises :class:`UsageError`, which repeats nothing of ``value``, for
        one that does not fit the model (a field that is missing or of another type, NaN, bytes) and for one that is
        cyclic or nested too deeply; for a status that has no body; for headers that are none.
        """
        if not 200 <= status <= 599 or status in {204, 205, 304}:
            raise UsageError(f"a response of status {status} has no body: send it without a model")
        problem = "it cannot be said in JSON"
        try:
            body = self._body(value)
        except ValidationError as error:
            problem = self._told(error)
        except RecursionError:
            problem = "it is nested too deeply"
        except (PydanticSerializationError, UnicodeEncodeError):
            pass
        else:
            return Rendered(status, _headers(headers), body)
        # Outside the handlers: pydantic's own error holds the value.
        raise UsageError(f"the answer does not fit its model {self._name}: {problem}")

    def _body(self, value: object) -> bytes:
        checked = self._checked(value)
        try:
            return self._adapter.dump_json(checked, by_alias=True, warnings="error")
        except (PydanticSerializationError, UnicodeEncodeError):  # a lone surrogate, or what no mending helps
            return self._adapter.dump_json(_mended(checked), by_alias=True, warnings="error")

    def _checked(self, value: object) -> T:
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            if not _about_surrogates(error):
                raise
        return self._adapter.validate_python(_mended(value))

    def _told(self, error: ValidationError) -> str:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        lines = [f"{self._place(one['loc'])} {_words(one['type'])}" for one in found[:_TOLD]]
        return "; ".join(dict.fromkeys(lines)) + ("; …" if len(found) > _TOLD else "")

    def _place(self, loc: tuple[int | str, ...]) -> str:
        """Where: names of fields and numbers; the keys of a dictionary, which may be data, are not told."""
        return "".join(f"/{step if isinstance(step, int) or step in self._names else '*'}" for step in loc) or "/"


def _words(code: str) -> str:
    return _WORDS.get(code) or message(code, {}, ENGLISH) or GENERIC


def _headers(given: Mapping[str, str] | None) -> Mapping[str, str]:
    found = dict(HEADERS)
    for name, value in (given or {}).items():
        fixed = name.lower() in {"content-type", "x-content-type-options"} and HEADERS[name.lower()] != value
        if fixed or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise UsageError(f"expected a header of printable ASCII on one line, and no other type; {name!r} is none")
        found[name.lower()] = value
    return found


def _about_surrogates(error: ValidationError) -> bool:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return any(one["type"] == "string_unicode" for one in found)


def _fields_of(model: type[BaseModel], value: object) -> dict[str, object]:
    """The declared fields of an object, as far as it has them; what is missing is told by the model."""
    found: dict[str, object] = {}
    for name, declared in model.model_fields.items():
        alias = declared.validation_alias
        spoken = [alias, name] if isinstance(alias, str) and not isinstance(value, model) else [name]
        if known := next((one for one in spoken if hasattr(value, one)), None):
            found[name] = getattr(value, known)
    return found


def _mended(value: Any) -> Any:
    """``value`` with U+FFFD for lone surrogates, as far as it is made of plain containers and of what leaves."""
    if isinstance(value, str):
        return _LONE.sub("\ufffd", value)
    if type(value) in {list, tuple, set, frozenset}:
        return type(value)(_mended(one) for one in value)
    if type(value) is dict:
        return {_mended(key): _mended(one) for key, one in value.items()}
    if isinstance(value, Output):
        return value.model_copy(update={name: _mended(one) for name, one in value})
    return value
