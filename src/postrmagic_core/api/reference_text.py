"""The reference of an API as Markdown, made of its OpenAPI document: for a site of documentation. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from .openapi.calls import Shown, calls
from .openapi.shapes import groups, in_words, resolved, rows

_SPAN = re.compile(r"(`{1,2})([^`]+)\1")
_MARKS = re.compile(r"([\\`*_\[\]|<>#])")


def reference_markdown(spec: Mapping[str, Any], *, level: int = 1) -> str:
    """The document that :func:`.openapi.document` made, as Markdown whose title has ``level`` hashes.

    Each operation has its path, what it needs, its parameters, its body, its answers, its problems and, for each
    example, the command of curl and what is answered. Every text of the document is shown as it is.
    """
    info = spec.get("info", {})
    hashes = "#" * level
    title = f"{info.get('title', 'API')} {info.get('version', '')}".strip()
    parts = [f"{hashes} {_plain(title)}"]
    parts.append(_prose(info.get("description", "")))
    for name, description, operations in groups(spec):
        parts += [f"{hashes}# {_plain(name)}", _prose(description)]
        for path, method, said in operations:
            parts += _operation(spec, path, method, said, f"{hashes}##")
    return "\n\n".join(part for part in parts if part) + "\n"


def _operation(spec: Mapping[str, Any], path: str, method: str, said: Mapping[str, Any], hashes: str) -> Iterator[str]:
    yield f"{hashes} {_plain(str(said.get('summary') or said.get('operationId', '')))}"
    yield f"{_code(f'{method.upper()} {path}')} {_needs(said)}"
    if said.get("deprecated"):
        yield "**Deprecated.**"
    yield _prose(said.get("description", ""))
    yield _table(("Parameter", "Type", "What it is"), _parameters(spec, said))
    for media_type, content in said.get("requestBody", {}).get("content", {}).items():
        told = (
            _field(one.place, one.type, one.description, "required" * one.required) for one in _fields(spec, content)
        )
        yield _table((f"Body ({media_type})", "Type", "What it is"), told)
    yield _table(("Answer", "Type", "What it is"), _answers(spec, said))
    yield _table(("Problem", "Code", "What it means"), _problems(spec, said))
    for shown in calls(spec, path, method, said):
        yield from _example(shown)


def _needs(said: Mapping[str, Any]) -> str:
    need = str(said.get("x-access", ""))
    if need == "public":
        return "is open to everybody."
    if need in {"", "signed-in"}:
        return "is for who is signed in."
    own = ", for what is the caller's own" if need.endswith(":own") else ""
    return f"needs {_code(need.removesuffix(':own'))}{own}."


def _parameters(spec: Mapping[str, Any], said: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for one in (resolved(spec, each) for each in said.get("parameters", ())):
        schema = one.get("schema", {})
        default = f", {json.dumps(schema['default'], ensure_ascii=False)} if left out" if schema.get("default") else ""
        place = one["in"] if one["in"] != "query" else "required" * bool(one.get("required"))
        yield _field(one["name"], in_words(spec, schema) + default, one.get("description", ""), place)


def _answers(spec: Mapping[str, Any], said: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for status, one in said.get("responses", {}).items():
        if not status < "4":
            continue
        told = resolved(spec, one)
        bodies = told.get("content", {})
        yield f"**{status}**", _plain(", ".join(bodies) or "no body"), _inline(told.get("description", ""))
        for content in bodies.values():
            yield from (_field(each.place, each.type, each.description) for each in _fields(spec, content))


def _problems(spec: Mapping[str, Any], said: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for status, one in said.get("responses", {}).items():
        for content in resolved(spec, one).get("content", {}).values() if status >= "4" else ():
            for example in (each for each in content.get("examples", {}).values() if "$ref" in each):
                told = resolved(spec, example)
                words = f"{told.get('summary', '')}. {told.get('description', '')}".strip()
                yield status, _code(str(told.get("value", {}).get("code", ""))), _inline(words)


def _example(shown: Shown) -> Iterator[str]:
    if shown.title:
        yield f"*{_plain(shown.title)}:*"
    yield _fenced("sh", shown.command)
    if shown.status:
        yield f"is answered with {shown.status}:"
        yield _fenced("json", json.dumps(shown.answer, ensure_ascii=False, indent=2))


def _fields(spec: Mapping[str, Any], content: Mapping[str, Any]) -> Iterable[Any]:
    return rows(spec, content.get("schema", {}))


def _field(name: str, type_: str, description: str, mark: str = "") -> tuple[str, ...]:
    return _code(name) + (f" ({mark})" if mark else ""), _plain(type_), _inline(description)


def _table(columns: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    told = [f"| {' | '.join(cells)} |" for cells in lines]
    if not told:
        return ""
    return "\n".join([f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *told])


def _fenced(language: str, text: str) -> str:
    """A block of code, whose fence is longer than any within it."""
    longest = max((len(found) for found in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _code(text: str) -> str:
    """A span of code; a bar would end the cell of a table even there, so it is written as a character's number."""
    if "`" in text or "|" in text:
        return f"<code>{escape(text).replace('`', '&#96;').replace('|', '&#124;')}</code>"
    return f"`{text}`"


def _prose(text: str) -> str:
    return "\n\n".join(_inline(one) for one in re.split(r"\n\s*\n", text.strip()) if one)


def _inline(text: str) -> str:
    told, end = "", 0
    line = " ".join(text.split())
    for found in _SPAN.finditer(line):
        told += _MARKS.sub(r"\\\1", line[end : found.start()]) + _code(found[2])
        end = found.end()
    return told + _MARKS.sub(r"\\\1", line[end:])


def _plain(text: str) -> str:
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
