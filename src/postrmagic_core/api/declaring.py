"""Operations are declared where they are carried out: a decorator on the method says everything the reference tells.

::

    class MediaApi:
        '''Posters.'''

        group = "media"

        @get("/media/{id}", Data[Medium], access="media:read:own", problems=["media.not_found"], conditional=True)
        def show_media(self, id: int) -> dict: ...

        @patch("/media/{id}", Data[Medium], access="media:edit:own", problems=["media.not_found"])
        def change_media(self, call: Call, id: int, body: Change) -> dict: ...

A parameter named ``call`` gets the :class:`~postrmagic_core.api.interface.Call`, ``query`` and ``body`` the checked
models they are annotated with; the others are the names of the path. The first paragraph of the docstring is the
summary, the rest the description.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict, TypeVar, Unpack, get_type_hints

from pydantic import BaseModel

from ..errors import ConfigurationError
from ..validation import Input
from ..validation.images import ImageUpload
from .interface import Deprecation, Example, Files, Method, Operation

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "__operation__"
_NAMES = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+|\{[a-z_][a-z0-9_]*\}")
_ENVELOPE = {"data", "next", "meta"}


class Details(TypedDict, total=False):
    """What can be said of an operation beside its path, its answer and its access; see :class:`.Operation`."""

    status: int
    also: Mapping[int, Any]
    problems: Sequence[str]
    conditional: bool
    headers: Mapping[str, str]
    examples: Sequence[Example]
    deprecated: Deprecation
    callers: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Declared:
    method: Method
    path: str
    answer: Any
    access: str
    details: Details


def get(path: str, answer: Any, *, access: str, **details: Unpack[Details]) -> Callable[[F], F]:
    """Declare a method that answers ``GET``: ``answer`` is the envelope (``Data[…]``, ``Page[…]``) or :class:`.Files`.

    ``access``: a permission, ``"signed-in"`` or ``"public"``. ``status`` is that of the answer (200), ``also`` maps
    further ones to their models. Raises :class:`ConfigurationError` when the class is looked at, for what cannot be.
    """
    return _marking(_Declared("GET", path, answer, access, details))


def post(path: str, answer: Any, *, access: str, **details: Unpack[Details]) -> Callable[[F], F]:
    """:func:`get` for ``POST``."""
    return _marking(_Declared("POST", path, answer, access, details))


def put(path: str, answer: Any, *, access: str, **details: Unpack[Details]) -> Callable[[F], F]:
    """:func:`get` for ``PUT``."""
    return _marking(_Declared("PUT", path, answer, access, details))


def patch(path: str, answer: Any, *, access: str, **details: Unpack[Details]) -> Callable[[F], F]:
    """:func:`get` for ``PATCH``."""
    return _marking(_Declared("PATCH", path, answer, access, details))


def delete(path: str, answer: Any = None, *, access: str, **details: Unpack[Details]) -> Callable[[F], F]:
    """:func:`get` for ``DELETE``."""
    return _marking(_Declared("DELETE", path, answer, access, details))


def _marking(declared: _Declared) -> Callable[[F], F]:
    def mark(handler: F) -> F:
        if hasattr(handler, _MARK):
            raise ConfigurationError(
                f"{handler.__qualname__} is declared twice: give each operation a method of its own"
            )
        setattr(handler, _MARK, declared)
        return handler

    return mark


def operations_of(resource: type) -> list[Operation]:
    """The operations that a class declares, in the order in which they are written there.

    ``resource.group`` names them together in the reference, or the class's name; ``resource.callers`` is by which
    schemes their callers say who they are, of those that do not say it. Raises :class:`ConfigurationError`.
    """
    named: dict[str, Any] = {}
    for owner in reversed(resource.__mro__):
        named |= vars(owner)
    group = getattr(resource, "group", resource.__name__)
    marked = ((name, handler, getattr(handler, _MARK, None)) for name, handler in named.items())
    found = [_operation(group, name, handler, one) for name, handler, one in marked if one is not None]
    callers = getattr(resource, "callers", None)
    return [replace(one, callers=callers) if one.callers is None else one for one in found]


def _operation(group: str, name: str, handler: Callable[..., Any], declared: _Declared) -> Operation:
    where = f"{declared.method} {declared.path} ({handler.__qualname__})"
    try:
        hints = get_type_hints(handler, include_extras=True)
    except NameError as error:
        raise ConfigurationError(
            f"{where}: the type {error.name} is not known when the class is looked at: import it outside TYPE_CHECKING"
        ) from error
    taken = [one for one in inspect.signature(handler).parameters if one != "self"]
    if missing := [one for one in taken if one not in hints]:
        raise ConfigurationError(f"{where}: the parameter {missing[0]!r} needs its type")
    values = {one: hints[one] for one in taken if one not in {"call", "query", "body"}}
    _check_path(where, declared.path, values)
    details = declared.details
    answers = _answers(where, declared)
    query, body = (_model(where, one, hints[one]) if one in taken else None for one in ("query", "body"))
    if body is not None and declared.method == "GET":
        raise ConfigurationError(f"{where}: a GET has no body; take a query")
    summary, description = _words(where, handler)
    return Operation(
        name=name,
        method=declared.method,
        path=declared.path,
        summary=summary,
        description=description,
        group=group,
        values=values,
        query=query,
        body=body,
        body_type="multipart/form-data" if body is not None and _takes_files(body) else "application/json",
        answers=answers,
        problems=tuple(details.get("problems", ())),
        access=_access(where, declared.access),
        conditional=details.get("conditional", False),
        headers=dict(details.get("headers", {})),
        examples=tuple(details.get("examples", ())),
        deprecated=details.get("deprecated"),
        callers=details.get("callers"),
    )


def _check_path(where: str, path: str, values: Mapping[str, Any]) -> None:
    segments = path.split("/")
    if segments[0] or not segments[1:] or not all(map(_SEGMENT.fullmatch, segments[1:])):
        raise ConfigurationError(
            f"{where}: expected a path such as /media/{{id}}/file: plain segments, no slash behind"
        )
    names = _NAMES.findall(path)
    if sorted(names) != sorted(values):
        told = ", ".join(sorted(set(names) ^ set(values))) or ", ".join(names)
        raise ConfigurationError(f"{where}: path and parameters must name the same values once: see {told}")


def _answers(where: str, declared: _Declared) -> dict[int, Any]:
    default = 204 if declared.answer is None else 200
    answers = {declared.details.get("status", default): declared.answer, **declared.details.get("also", {})}
    if declared.details.get("status", default) in declared.details.get("also", {}):
        raise ConfigurationError(f"{where}: also declares the status of the answer again: give each status once")
    for status, answer in answers.items():
        if not 200 <= status <= 299 or (answer is None) is not (status == 204):
            raise ConfigurationError(f"{where}: {status} is no status of an answer that is {_name(answer)}")
        if answer is not None and not isinstance(answer, Files):
            _check_envelope(where, answer)
    return answers


def _check_envelope(where: str, answer: Any) -> None:
    """One response shape: ``data``, of a list ``next``, and ``meta`` for what is told beside."""
    fields = set(getattr(answer, "model_fields", ()))
    if "data" not in fields or fields - _ENVELOPE:
        raise ConfigurationError(
            f"{where}: an answer is an envelope with data (and next, meta), such as Data[Medium]; "
            f"{_name(answer)} has {', '.join(sorted(fields)) or 'no fields'}"
        )


def _model(where: str, name: str, annotated: Any) -> type[BaseModel]:
    if not (inspect.isclass(annotated) and issubclass(annotated, Input)):
        raise ConfigurationError(f"{where}: {name} is annotated with an Input, got {_name(annotated)}")
    return annotated


def _takes_files(model: type[BaseModel]) -> bool:
    return any(isinstance(mark, ImageUpload) for field in model.model_fields.values() for mark in field.metadata)


def _access(where: str, access: str) -> str:
    if access in {"public", "signed-in"} or re.fullmatch(r"[a-z_]+:[a-z_]+(:own)?", access):
        return access
    raise ConfigurationError(f'{where}: access is "public", "signed-in" or a permission such as media:read')


def _words(where: str, handler: Callable[..., Any]) -> tuple[str, str]:
    text = inspect.getdoc(handler)
    if not text:
        raise ConfigurationError(f"{where}: its docstring is what the reference says: write one")
    summary, _, rest = text.partition("\n\n")
    return " ".join(summary.split()).removesuffix("."), rest.strip()


def _name(answer: Any) -> str:
    return getattr(answer, "__name__", repr(answer))


def duplicate(operations: Iterable[Operation]) -> str | None:
    """What two operations have in common that only one may have, beginning with the name of one; ``None`` for nothing.

    That is a name, or method and path, or a path whose values one of them calls otherwise.
    """
    names: set[str] = set()
    spelt: dict[str, str] = {}
    places: dict[tuple[str, str], str] = {}
    for one in operations:
        shape = _NAMES.sub("{}", one.path)
        if one.name in names:
            return f"{one.name}: two operations have this name"
        if (one.method, shape) in places:
            return f"{one.name}: {places[one.method, shape]} is {one.method} {one.path} already"
        if spelt.setdefault(shape, one.path) != one.path:
            return f"{one.name}: {one.path} is {spelt[shape]} elsewhere: name the values alike"
        names.add(one.name)
        places[one.method, shape] = one.name
    return None
