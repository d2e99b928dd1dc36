"""The whole module: what all clients share, the classes of this one, and its two faces."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from ...errors import ConfigurationError
from .document import Document, mapping, sequence, words
from .layout import lines
from .names import METHODS, Names, docstring, literal, plain, snake
from .operations import Method, Parameter, methods
from .render import Face, answer_class, following, input_class, method, saving
from .schemas import Schemas

_IMPORTS = """\
from __future__ import annotations

import inspect
import json
import os
import re
import secrets
import warnings
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from pathlib import Path
from typing import (
    BinaryIO,
    Generic,
    Literal,
    NotRequired,
    Self,
    TypeAlias,
    TypedDict,
    TypeVar,
    cast,
)
from urllib.parse import quote, urlsplit
from uuid import UUID

import httpx
"""
_SILENCED = "# ruff: noqa - generated: names and numbers of parameters are the specification's"


def client_source(spec: Mapping[str, Any], *, class_name: str | None = None) -> str:
    """The text of one Python module: typed clients, sync and async, of the API that ``spec`` describes.

    ``spec`` is an OpenAPI 3.1 document as plain data. The module needs Python 3.11, httpx and nothing else; the same
    document gives the same text. ``class_name`` names the clients: ``"Library"`` gives ``Library`` and
    ``AsyncLibrary``, the default is ``Client`` and ``AsyncClient``. Raises :class:`ConfigurationError` for a document
    of another kind, for an ``operationId`` that stands twice, and for a name that is none.
    """
    document, shared = Document(spec), _resource("shared.txt")
    name = class_name or "Client"
    taken = {*_names_of(f"{_IMPORTS}\n{shared}"), "USER_AGENT"}
    _check(name, taken)
    schemas = Schemas(document, Names({*taken, name, f"Async{name}"}))
    prefix = _prefix(spec)
    found = methods(document, schemas, prefix)
    text = [*_head(document, found, prefix), "", shared.rstrip("\n")]
    for alias, choice in schemas.literals.items():
        text += ["", "", *lines(choice, 0, f"{alias}: TypeAlias = ")]
    for model in schemas.inputs:
        text += input_class(model)
    for model in schemas.answers:
        text += answer_class(model)
    for face in (Face(waits=False), Face(waits=True)):
        text += ["", "", *_client(document, found, face, f"Async{name}" if face.waits else name)]
    return "\n".join(text) + "\n"


def _head(document: Document, found: Sequence[Method], prefix: str) -> Iterator[str]:
    title = plain(document.info.get("title")) or "An API"
    version = plain(document.info.get("version")) or "1"
    about = "Generated from its OpenAPI document: change that, and generate this again."
    yield from docstring([f"{title}, version {version}: a typed client.", about], 0)
    yield from [_SILENCED, "", _IMPORTS]
    agent = re.sub(r"[^a-z0-9]+", "-", snake(title).replace("_", "-")).strip("-")
    number = re.sub(r"[^A-Za-z0-9.]", "", version)
    yield f"USER_AGENT = {literal(f'{agent}-client/{number}')}"
    versioned = all(_is_versioned(one.path) for one in found)
    major = (re.findall(r"[0-9]+", version) or ["1"])[0]
    headers = "{}" if versioned else f'{{"API-Version": {literal(major)}}}'
    yield f"_FIXED: Mapping[str, str] = {headers}"


def _client(document: Document, found: Sequence[Method], face: Face, name: str) -> Iterator[str]:
    template = _resource("face.txt").rstrip("\n")
    for mark, word in face.words.items():
        template = template.replace(mark, word)
    title = plain(document.info.get("title")) or "An API"
    first = "\n".join(docstring([f"{title}: each operation as a method."], 4)).strip()
    first = first.removeprefix('"""').removesuffix('"""').rstrip()
    yield template.replace("@client@", name).replace("@about@", first)
    names = Names(METHODS.union(one.name for one in found))
    for one in found:
        yield from method(one, face)
        after = _after(one)
        if after is not None:
            yield from following(one, face, names.value(f"{one.name}_all"), after)
        if one.given.is_file:
            yield from saving(one, face, names.value(f"{one.name}_to"))


def _after(one: Method) -> Parameter | None:
    found = [each for each in one.parameters if each.sent == "query" and each.wire == "after"]
    return found[0] if found and one.given.items else None


def _prefix(spec: Mapping[str, Any]) -> str:
    """The path of the first server; its address is what the caller gives."""
    server = mapping(next(iter(sequence(spec.get("servers"))), None))
    values = {name: words(mapping(one).get("default")) for name, one in mapping(server.get("variables")).items()}
    url = re.sub(r"\{([^{}]*)\}", lambda found: values.get(found[1], ""), words(server.get("url")))
    try:
        return urlsplit(url).path.rstrip("/")
    except ValueError:
        raise ConfigurationError('expected a server such as "/api/v1" or "https://api.example.org/v1"') from None


def _is_versioned(path: str) -> bool:
    return any(re.fullmatch(r"v[0-9]+", step) for step in path.split("/"))


@cache
def _names_of(text: str) -> Set[str]:
    """Every name that the module's own text uses."""
    found = {"UNSET"}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found |= {node.name}
        elif isinstance(node, ast.Name):
            found |= {node.id}
        elif isinstance(node, ast.alias):
            found |= {node.asname or node.name}
    return found


def _check(name: str, taken: Set[str]) -> None:
    bad = not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) or keyword.iskeyword(name)
    if bad or {name, f"Async{name}"} & taken:
        raise ConfigurationError('expected a class_name in CamelCase that the module does not use, such as "Library"')


@cache
def _resource(name: str) -> str:
    return files(__name__.rpartition(".")[0]).joinpath(name).read_text(encoding="utf-8")
