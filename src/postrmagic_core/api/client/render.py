"""The text of the classes and of the methods; the same for both faces but for what must wait."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from .layout import Group, Node, call, flat, lines
from .names import docstring, literal, plain
from .operations import Body, Given, Method, Parameter
from .schemas import Model


@dataclass(frozen=True, slots=True)
class Face:
    """How one of the two clients is spelled."""

    waits: bool

    @property
    def words(self) -> dict[str, str]:
        """What stands for the marks of the template."""
        return {
            "@async@": "async " if self.waits else "",
            "@await@": "await " if self.waits else "",
            "@a@": "a" if self.waits else "",
            "@http@": "httpx.AsyncClient" if self.waits else "httpx.Client",
            "@iterator@": "AsyncIterator" if self.waits else "Iterator",
            "@page@": "Awaitable[Page[_T, _M]]" if self.waits else "Page[_T, _M]",
        }


def answer_class(model: Model) -> Iterator[str]:
    """A class that is read."""
    yield from ["", "", "@dataclass(frozen=True, slots=True, kw_only=True)", f"class {model.name}:"]
    items = [(one.name, plain(one.about)) for one in model.members]
    yield from docstring([plain(model.about) or f"A part of an answer: {model.name}."], 4, items)
    yield ""
    for one in model.members:
        yield f"    {one.name}: {one.kind.hint}" if one.required else f"    {one.name}: {one.kind.optional} = None"
    yield from ["", "    @classmethod", f"    def _read(cls, value: object) -> {model.name}:"]
    yield "        members = _members(value)"
    parts: list[tuple[str, Node]] = [
        (f"{one.name}=", call("_member" if one.required else "_optional", "members", literal(one.wire), one.kind.read))
        for one in model.members
    ]
    yield from lines(Group("cls", tuple(parts)), 8, "return ")


def input_class(model: Model) -> Iterator[str]:
    """A class that is given: a dictionary of these keys."""
    keys = [one.wire for one in model.members]
    about = plain(model.about) or f"A part of a request: {model.name}."
    hints = [one.kind.hint if one.required else f"NotRequired[{one.kind.hint}]" for one in model.members]
    if all(one.name == one.wire for one in model.members):
        yield from ["", "", f"class {model.name}(TypedDict):"]
        yield from docstring([about], 4)
        yield ""
        yield from (f"    {key}: {hint}" for key, hint in zip(keys, hints, strict=True))
        return
    fields = tuple((f"{literal(key)}: ", literal(hint)) for key, hint in zip(keys, hints, strict=True))
    group = call("TypedDict", literal(model.name), Group("", fields, "{}"))
    yield ""
    yield from lines(group, 0, f"{model.name} = ")
    yield from docstring([about], 0)


def method(one: Method, face: Face) -> Iterator[str]:
    """A method, and beside it the one that follows a list, or that saves a file."""
    yield from _method(one, face, one.name, one.given, one.parameters)


def following(one: Method, face: Face, name: str, after: Parameter) -> Iterator[str]:
    """The method that gives every item of a list, page by page."""
    parameters = [each for each in one.parameters if each is not after and each.wire != "If-None-Match"]
    passed: list[tuple[str, Node]] = [
        ("" if each.sent == "path" else f"{each.name}=", each.name) for each in parameters
    ]
    passed.append((f"{after.name}=", "_after"))
    yield from _signature(name, parameters, f"{face.words['@iterator@']}[{one.given.items}]", "")
    yield from docstring([f"Every item of ``{one.name}``, page by page as they are asked for."], 8)
    turn = Group(f"lambda _after: self.{one.name}", tuple(passed))
    yield from lines(call("self._every", turn), 8, "return ")


def saving(one: Method, face: Face, name: str) -> Iterator[str]:
    """The method that writes a file to a path."""
    told = Parameter(one.destination, "", "str | os.PathLike[str]", "path", "", "Where it is written.")
    given = replace(one.given, hint="SavedFile", read=told.name)
    steps = [each for each in one.parameters if each.sent == "path"]
    rest = [each for each in one.parameters if each.sent != "path"]
    yield from _method(one, face, name, given, [*steps, told, *rest], saved=told)


def _method(
    one: Method,
    face: Face,
    name: str,
    given: Given,
    parameters: Sequence[Parameter],
    saved: Parameter | None = None,
) -> Iterator[str]:
    yield from _signature(name, parameters, flat(given.hint), face.words["@async@"])
    about = one.about if saved is None else [f"``{one.name}``, written to a file: it appears once it is whole."]
    yield from docstring(about, 8, [(each.name, each.about) for each in parameters])
    ask = _ask(one, [each for each in parameters if each is not saved])
    runner = "self._call" if saved is None else "self._save"
    yield from lines(call(runner, ask, given.read), 8, f"return {face.words['@await@']}")


def _signature(name: str, parameters: Sequence[Parameter], hint: str, prefix: str) -> Iterator[str]:
    steps = [("", f"{one.name}: {one.hint}") for one in parameters if one.sent == "path"]
    rest = [one for one in parameters if one.sent != "path"]
    named = [("", f"{one.name}: {one.hint}{f' = {one.default}' if one.default else ''}") for one in rest]
    parts: list[tuple[str, Node]] = [("", "self"), *steps]
    parts += [("", "/")] if steps else []
    parts += [("", "*"), *named] if named else []
    yield ""
    yield from lines(Group("", tuple(parts)), 4, f"{prefix}def {name}", f" -> {hint}:")


def _ask(one: Method, parameters: Iterable[Parameter]) -> Node:
    by: dict[str, list[Parameter]] = {}
    for each in parameters:
        by.setdefault(each.sent, []).append(each)
    named: dict[str, Node] = {
        "operation": literal(one.wire),
        "method": literal(one.verb),
        "path": call("_path", literal(one.path), *(each.name for each in by.get("path", []))),
    }
    if "query" in by:
        named["query"] = call("_pairs", _values(by["query"]))
    headers = {each.wire: each.name for each in by.get("header", [])}
    if one.body is not None and one.body.kind != "form":
        headers["Content-Type"] = literal(one.body.media_type)
    if headers:
        named["headers"] = call("_headers", Group("", tuple((f"{literal(k)}: ", v) for k, v in headers.items()), "{}"))
    if one.body is not None:
        named |= _sent(one.body, by)
    return call("_Ask", **named)


def _sent(body: Body, by: dict[str, list[Parameter]]) -> dict[str, Node]:
    fields = by.get("field", [])
    if body.kind == "form":
        return {"parts": call("_parts", _values(fields), _values(by.get("file", [])))}
    if body.kind == "json":
        return {"content": call("_json", _values(fields, unset=True))}
    name = by["body"][0].name
    return {"content": name if body.kind == "bytes" else call("_json", name)}


def _values(parameters: Sequence[Parameter], *, unset: bool = False) -> Node:
    return Group(
        "",
        tuple(
            (f"{literal(one.wire)}: ", call("_or_unset", one.name) if unset and one.default == "None" else one.name)
            for one in parameters
        ),
        "{}",
    )
