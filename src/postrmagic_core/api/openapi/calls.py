"""The examples of a document as commands of curl, ready to be pasted into a shell, with what is answered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any
from urllib.parse import quote as escaped

from .shapes import resolved

_ENDINGS = {"image/jpeg": "jpg", "application/octet-stream": "bin"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One call: its command, and the answer's status and JSON where the example has one."""

    title: str
    command: str
    status: str = ""
    answer: object = None


def calls(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> list[Shown]:
    """The examples of an operation in their order; where it has none, the bare call.

    The command speaks of ``$API``, the URL under which the API is, and of ``$TOKEN`` or its like where it says who
    calls. Whatever an example holds stays one word of the shell.
    """
    parameters = [resolved(document, one) for one in operation.get("parameters", ())]
    body = operation.get("requestBody", {}).get("content", {})
    titles: dict[str, str] = {}
    for content in (*parameters, *body.values(), *(one for _, one in _answers(document, operation))):
        for key, said in content.get("examples", {}).items():
            if "$ref" not in said:
                titles.setdefault(key, said.get("summary", key))
    return [_shown(document, path, method, operation, (key, title)) for key, title in titles.items()] or [
        _shown(document, path, method, operation, ("", ""))
    ]


def _shown(
    document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any], example: tuple[str, str]
) -> Shown:
    key, title = example
    verb = "" if method == "get" else f"-X {quote(method.upper())} "
    _, proof = credentials(_schemes(document, operation))
    words = [f'curl {verb}"$API{_target(document, path, operation, key)}"', *([proof] if proof else [])]
    if verb and proof.startswith("--cookie"):
        # No other site is behind it: what a browser would say, and servers ask where a cookie says who calls.
        words.append("-H 'Sec-Fetch-Site: none'")
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        words += _body(document, media_type, content, key)
    found = ((status, one.get("examples", {}).get(key)) for status, one in _answers(document, operation))
    status, answer = next(((status, one["value"]) for status, one in found if one is not None), ("", None))
    return Shown(title, " \\\n  ".join([*words, *_kept(operation)]), status, answer)


def _answers(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for status, response in operation.get("responses", {}).items():
        for content in resolved(document, response).get("content", {}).values():
            yield status, content


def _target(document: Mapping[str, Any], path: str, operation: Mapping[str, Any], key: str) -> str:
    """The path and the query, escaped: nothing is left that a shell reads within double quotes."""
    query: list[str] = []
    values: dict[str, str] = {}
    for one in operation.get("parameters", ()):
        parameter = resolved(document, one)
        example = parameter.get("examples", {}).get(key)
        if example is None and not parameter.get("required"):
            continue
        value = parameter["name"].upper() if example is None else example["value"]
        for each in value if isinstance(value, list) else [value]:
            text = escaped(each if isinstance(each, str) else json.dumps(each), safe="")
            if parameter["in"] == "path":
                values[parameter["name"]] = text
            elif parameter["in"] == "query":
                query.append(f"{escaped(parameter['name'], safe='')}={text}")
    steps = (values.get(step[1:-1], step) if step[:1] == "{" else escaped(step) for step in path.split("/"))
    return "/".join(steps) + ("?" + "&".join(query) if query else "")


def credentials(schemes: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """The variable of the shell that holds what says who calls, and how curl sends it; empty where nobody asks."""
    # A token before a cookie: what changes something by cookie needs more.
    for one in sorted(schemes, key=lambda scheme: scheme.get("type") != "http"):
        if one.get("type") == "http" and str(one.get("scheme")).lower() == "bearer":
            return "TOKEN", '-H "Authorization: Bearer $TOKEN"'
        if one.get("type") == "apiKey" and one.get("in") == "cookie":
            return "SESSION", f'--cookie {quote(one["name"] + "=")}"$SESSION"'
        if one.get("type") == "apiKey" and one.get("in") == "header":
            return "KEY", f'-H {quote(one["name"] + ": ")}"$KEY"'
    return "", ""


def _schemes(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    known = document.get("components", {}).get("securitySchemes", {})
    for choice in operation.get("security", document.get("security", ())):
        yield from (known[name] for name in choice if name in known)


def _body(document: Mapping[str, Any], media_type: str, content: Mapping[str, Any], key: str) -> Iterator[str]:
    value = content.get("examples", {}).get(key, {}).get("value")
    if media_type != "multipart/form-data":
        yield f"-H {quote(f'Content-Type: {media_type}')}"
        yield f"--data {'@body.json' if value is None else quote(json.dumps(value, ensure_ascii=False))}"
        return
    schema = resolved(document, content.get("schema", {}))
    fields = schema.get("properties", {})
    files = {name for name, one in fields.items() if "contentMediaType" in one.get("items", one)}
    for name, given in ({name: name for name in schema.get("required", ())} if value is None else value).items():
        for one in given if isinstance(given, list) else [given]:
            text = one if isinstance(one, str) else json.dumps(one)
            # Only -F reads files, and it reads more than names; --form-string takes a text as it is.
            yield (
                f"-F {quote(f'{name}=@{_file(text)}')}" if name in files else f"--form-string {quote(f'{name}={text}')}"
            )


def _file(name: str) -> str:
    """The name of a file as curl's -F reads it."""
    if not set(name) & set(';,"\\'):
        return name
    spelt = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{spelt}"'


def _kept(operation: Mapping[str, Any]) -> list[str]:
    """What is no JSON goes to a file."""
    for status, response in operation.get("responses", {}).items():
        for media_type in map(str, response.get("content", {}) if status < "3" else ()):
            if "json" not in media_type:
                ending = _ENDINGS.get(media_type) or media_type.rsplit("/", 1)[-1]
                return [f"--output {quote(f'answer.{ending}')}"]
    return []
