"""What a method of the client takes, sends and gives, by an operation of the document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from ...errors import ConfigurationError
from .document import Document, mapping, sequence, words
from .layout import Node, call
from .names import METHODS, Names, plain, snake
from .schemas import Kind, Member, Schemas

_OWN_HEADERS = {"accept", "authorization", "content-type", "cookie", "user-agent"}
_CONDITIONS = {
    "if-match": ("If-Match", "The ``etag`` that was read: of another version nothing is changed."),
    "if-none-match": ("If-None-Match", "An ``etag``: where it is still the version, ``NotModified`` is raised."),
    "idempotency-key": ("Idempotency-Key", "Names the attempt, for a server that remembers what it answered."),
}

Sent = Literal["path", "query", "header", "field", "file", "body"]
_PLACES: dict[str, Sent] = {"query": "query", "header": "header"}  # a cookie is the client of httpx's business


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a method: ``default`` is its expression, empty where the caller must give a value."""

    name: str
    wire: str
    hint: str
    sent: Sent
    default: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """How a body is sent."""

    kind: Literal["json", "whole", "form", "bytes"]
    media_type: str


@dataclass(frozen=True, slots=True)
class Given:
    """What a method gives: its type, the reader of the response, and of a page the type of its items."""

    hint: Node
    read: Node
    items: str = ""
    is_file: bool = False


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the client."""

    name: str
    wire: str
    verb: str
    path: str
    about: Sequence[str]
    given: Given
    parameters: Sequence[Parameter] = ()
    body: Body | None = None
    destination: str = ""
    """Of a file: the name of the parameter that says where it is written."""


def methods(document: Document, schemas: Schemas, prefix: str) -> list[Method]:
    """Every operation as a method, in the order of the document.

    Raises :class:`ConfigurationError` for an ``operationId`` that stands twice, and for a parameter of a path that the
    path does not name.
    """
    found, names, seen = list(document.operations()), Names(METHODS), set[str]()
    for verb, path, operation, _ in found:
        if (wire := _wire(verb, path, operation)) in seen:
            raise ConfigurationError(f"expected each operationId once, got {wire!r} twice: name one of them otherwise")
        seen.add(wire)
    # Answers first: a class that is read has the name of its component, one that is given beside it another.
    given = [_given(document, schemas, _wire(verb, path, one), one) for verb, path, one, _ in found]
    return [
        _method(document, schemas, names.value(_wire(verb, path, one)), (verb, path, prefix, one, shared), gives)
        for (verb, path, one, shared), gives in zip(found, given, strict=True)
    ]


def _wire(verb: str, path: str, operation: Mapping[str, Any]) -> str:
    return words(operation.get("operationId")) or f"{verb} {path}"


def _method(
    document: Document,
    schemas: Schemas,
    name: str,
    place: tuple[str, str, str, Mapping[str, Any], Sequence[Any]],
    given: Given,
) -> Method:
    verb, path, prefix, operation, shared = place
    names = Names({"self"})
    several = map(document.followed, [*shared, *sequence(operation.get("parameters"))])
    declared = {(words(one.get("in")), words(one.get("name"))): one for one in several}
    template, steps = _template(prefix + path)
    parameters = [_step(declared.get(("path", step), {}), step, name, names, schemas) for step in steps]
    parameters += _declared(declared.values(), name, names, schemas)
    body = _body(document, schemas, operation, name, verb, names, parameters)
    parameters += _conditions(declared, operation, verb, names)
    if given.is_file:
        told = "Media types that will do."
        parameters.append(Parameter(names.value("accept"), "Accept", "str", "header", '"*/*"', told))
    about = [plain(operation.get("summary")), plain(operation.get("description"))]
    about = about if any(about) else [plain(f"{verb.upper()} {path}")]
    if operation.get("deprecated") is True:
        about.append("Deprecated.")
    place_name = names.value("destination")
    return Method(
        name, _wire(verb, path, operation), verb.upper(), template, about, given, parameters, body, place_name
    )


def _template(path: str) -> tuple[str, list[str]]:
    """The path with ``{}`` for each value, and the values' names."""
    pieces = re.split(r"\{([^{}/]*)\}", path)
    fixed = [quote(piece, safe="/-._~!$&'()*+,;=:@%", errors="replace") for piece in pieces[::2]]
    return re.sub(r"^/*", "/", "{}".join(fixed)), pieces[1::2]


def _step(found: Mapping[str, Any], step: str, name: str, names: Names, schemas: Schemas) -> Parameter:
    kind = schemas.given(found.get("schema", {"type": "string"}), f"{name} {step}")
    return Parameter(names.value(step), step, kind.hint, "path", "", plain(found.get("description")))


def _declared(declared: Iterable[Mapping[str, Any]], name: str, names: Names, schemas: Schemas) -> Iterator[Parameter]:
    for one in declared:
        wire, sent = words(one.get("name")), _PLACES.get(words(one.get("in")))
        if not wire or sent is None:
            continue
        if sent == "header" and (wire.lower() in _OWN_HEADERS | _CONDITIONS.keys() or not _is_token(wire)):
            continue
        kind = schemas.given(one.get("schema"), f"{name} {wire}")
        required = one.get("required") is True
        hint, default = (kind.hint, "") if required else (kind.optional, "None")
        yield Parameter(names.value(wire), wire, hint, sent, default, plain(one.get("description")))


def _is_token(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9-]+", name) is not None


def _conditions(
    declared: Mapping[Any, Mapping[str, Any]], operation: Mapping[str, Any], verb: str, names: Names
) -> Iterator[Parameter]:
    answers = mapping(operation.get("responses"))
    told = {words(name).lower(): one for (kind, name), one in declared.items() if kind == "header"}
    wanted = {
        "if-match": verb != "get" and bool({"412", "428"} & answers.keys()),
        "if-none-match": verb == "get" and "304" in answers,
        "idempotency-key": verb == "post",
    }
    for wire, is_wanted in wanted.items():
        if is_wanted or wire in told:
            one = told.get(wire, {})
            required = one.get("required") is True
            hint, default = ("str", "") if required else ("str | None", "None")
            name, about = _CONDITIONS[wire]
            yield Parameter(names.value(wire), name, hint, "header", default, plain(one.get("description")) or about)


def _body(
    document: Document,
    schemas: Schemas,
    operation: Mapping[str, Any],
    name: str,
    verb: str,
    names: Names,
    parameters: list[Parameter],
) -> Body | None:
    """How the body is sent; its parameters are added to ``parameters``."""
    request = document.followed(operation.get("requestBody"))
    content = mapping(request.get("content"))
    if not content:
        return None
    media_type = next((one for one in content if is_json(one) or one == "multipart/form-data"), next(iter(content)))
    told = mapping(content[media_type])
    if media_type == "multipart/form-data":
        parameters += _form(document, schemas, told, name, names)
        return Body("form", media_type)
    if not is_json(media_type):
        parameters.append(Parameter(names.value("body"), "", "bytes", "body"))
        return Body("bytes", media_type)
    schema = schemas.merged(document.followed(told.get("schema")))
    if not mapping(schema.get("properties")):
        kind = schemas.given(told.get("schema"), f"{name} body")
        parameters.append(Parameter(names.value("body"), "", kind.hint, "body"))
        return Body("whole", media_type)
    for member in schemas.members(schema, name, given=True, names=names):
        parameters.append(_field(member, verb))
    return Body("json", media_type)


def _field(member: Member, verb: str) -> Parameter:
    """A field of a JSON body. In a ``PATCH``, ``None`` empties what can be empty, and ``UNSET`` leaves it."""
    about, hint = plain(member.about), member.kind.hint
    if member.required:
        return Parameter(member.name, member.wire, hint, "field", "", about)
    if verb == "patch" and member.kind.is_nullable:
        return Parameter(member.name, member.wire, f"{hint} | Unset", "field", "UNSET", about)
    return Parameter(member.name, member.wire, member.kind.optional, "field", "None", about)


def _form(
    document: Document, schemas: Schemas, told: Mapping[str, Any], name: str, names: Names
) -> Iterator[Parameter]:
    schema = schemas.merged(document.followed(told.get("schema")))
    encoding, properties = mapping(told.get("encoding")), mapping(schema.get("properties"))
    for member in schemas.members(schema, name, given=True, names=names):
        one = document.followed(properties[member.wire])
        kind = mapping(encoding.get(member.wire)).get("contentType")
        several = one.get("type") == "array"
        if is_file(document.followed(one.get("items")) if several else one, words(kind)):
            hint, sent = "Sequence[Upload]" if several else "Upload", "file"
        else:
            hint, sent = member.kind.hint, "field"
        optional = hint if member.required or hint.endswith("| None") else f"{hint} | None"
        default = "" if member.required else "None"
        yield Parameter(
            member.name, member.wire, optional, "file" if sent == "file" else "field", default, plain(member.about)
        )


def is_file(schema: Mapping[str, Any], encoded: str) -> bool:
    """Whether a field of a form is a file: by its format, by the type of its content, or by how it is encoded."""
    if schema.get("format") == "binary" or ("contentMediaType" in schema and "contentEncoding" not in schema):
        return True
    return bool(encoded) and not encoded.startswith("text/") and not is_json(encoded)


def is_json(media_type: str) -> bool:
    """Whether a body of this type is JSON."""
    bare = media_type.partition(";")[0].strip().lower()
    return bare == "application/json" or bare.endswith("+json")


def _given(document: Document, schemas: Schemas, wire: str, operation: Mapping[str, Any]) -> Given:
    found: dict[str, Given] = {}
    for status, one in mapping(operation.get("responses")).items():
        if re.fullmatch(r"2(?:[0-9]{2}|XX)", status):
            found[status] = _one(document, schemas, snake(wire), mapping(document.followed(one).get("content")))
    several = list(dict.fromkeys(found.values()))
    if any(one.is_file for one in several):
        return next(one for one in several if one.is_file)
    if not several:
        return Given("Answer[None, None]", "_empty")
    ordered = sorted(found.items(), key=lambda one: (one[0].endswith("XX"), one[0]))
    (_, last) = ordered[-1]
    if len(several) == 1:
        return last
    read = last.read
    for status, one in reversed(ordered[:-1]):
        read = call("_by_status", status, one.read, read)
    return Given(" | ".join(dict.fromkeys(str(one.hint) for one in several)), read)


def _one(document: Document, schemas: Schemas, name: str, content: Mapping[str, Any]) -> Given:
    """What one status answers."""
    if not content:
        return Given("Answer[None, None]", "_empty")
    media_type = next((one for one in content if is_json(one)), None)
    if media_type is None:
        return Given("File", "_file", is_file=True)
    told = mapping(content[media_type]).get("schema")
    schema = schemas.merged(document.followed(told))
    properties = mapping(schema.get("properties"))
    if "data" not in properties:
        kind = schemas.answer(told, f"{name} answer")
        return Given(f"Answer[{kind.hint}, None]", call("_bare", kind.read))
    meta = schemas.answer(properties["meta"], f"{name} meta") if "meta" in properties else Kind.of("None", "_nothing")
    data = schemas.merged(document.followed(properties["data"]))
    has_meta = "meta" in properties
    if data.get("type") == "array" and "next" in properties:
        item = schemas.answer(data.get("items"), f"{name} item")
        read = call("_page_with", item.read, meta.read) if has_meta else call("_page", item.read)
        return Given(f"Page[{item.hint}, {meta.hint}]", read, items=item.hint)
    kind = schemas.answer(properties["data"], f"{name} data")
    read = call("_answer_with", kind.read, meta.read) if has_meta else call("_answer", kind.read)
    return Given(f"Answer[{kind.hint}, {meta.hint}]", read)
