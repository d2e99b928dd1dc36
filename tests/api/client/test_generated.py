"""The generated text: deterministic, formatted, typed, the same by both faces, and never made of a hostile document."""

from __future__ import annotations

import ast
import copy
import itertools
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.api.client import client_source
from postrmagic_core.errors import ConfigurationError
from tests.api.client.conftest import SPEC, module_of

USAGE = """
from datetime import datetime
from pathlib import Path
from typing import assert_type

from media_client import Answer, AsyncClient, BulkItem, BulkMeta, Client, File, Me, Medium, Page, SavedFile
from media_client import SecondStepNeeded, Stats, StatsMeta, Tagging


def calls(client: Client) -> None:
    assert_type(client.list_media(q="jazz", sort="-title"), Page[Medium, None])
    assert_type(client.list_media().items[0].created_at, datetime)
    assert_type(next(client.list_media_all()).tags, list[str])
    assert_type(client.get_stats(), Answer[Stats, StatsMeta])
    assert_type(client.tag_media(items=[{"id": 1, "tags": []}]), Answer[list[BulkItem], BulkMeta])
    assert_type(client.log_in(name="a", password="b").data, Me | SecondStepNeeded)
    assert_type(client.get_file(1), File)
    assert_type(client.get_file_to(1, Path("a")), SavedFile)
    client.edit_medium(1, note=None)
    client.upload_media(file=("a.png", b""))


async def waits(client: AsyncClient) -> None:
    assert_type(await client.list_media(), Page[Medium, None])
    assert_type([one async for one in client.list_media_all()], list[Medium])
"""
MISTAKES = [
    'client.list_media(sort="size")',
    "client.list_media(word=1)",
    'client.get_medium("one")',
    "client.get_medium(1).data.unknown",
    "client.edit_medium(1, title=1)",
    'client.tag_media(items=[{"id": 1}])',
    "client.upload_media(file=b'')",
    "client.upload_media()",
]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client, one of awkward names, code that uses it rightly, and code that does not."""
    folder = tmp_path_factory.mktemp("typed")
    (folder / "media_client.py").write_text(client_source(SPEC), encoding="utf-8")
    (folder / "usage.py").write_text(USAGE, encoding="utf-8")
    (folder / "awkward_client.py").write_text(client_source(hostile(AWKWARD)), encoding="utf-8")
    lines = "\n".join(f"    {mistake}" for mistake in MISTAKES)
    (folder / "mistakes.py").write_text(
        f"from media_client import Client\n\n\ndef calls(client: Client) -> None:\n{lines}\n", encoding="utf-8"
    )
    return folder


def run(folder: Path, *command: str) -> str:
    """What a checker says in ``folder``; it comes with what lints, which other Pythons' environments do not have."""
    pytest.importorskip(command[0])
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False, timeout=110
    )
    return done.stdout + done.stderr


def lines_at_fault(told: str) -> set[int]:
    """The lines of the code that is wrong on purpose, as far as it was found wrong."""
    return {int(line) for line in re.findall(r"mistakes\.py:(\d+)", told)}


def test_mypy_agrees(checked: Path) -> None:
    """Strictly: the client is typed throughout, its uses have the types they should, wrong uses are found."""
    told = run(checked, "mypy", "--strict", "--cache-dir", str(checked / "cache"), ".")
    assert re.findall(r"^(?:media_client|awkward_client|usage)\.py.*$", told, re.MULTILINE) == [], told
    assert lines_at_fault(told) == set(range(5, 5 + len(MISTAKES))), told


@pytest.mark.soak  # each time it looks at the reference application's client, which is made so
def test_pyright_agrees(checked: Path) -> None:
    """The other checker says the same."""
    told = run(checked, "pyright", "--pythonpath", sys.executable, ".")
    assert re.findall(r"^.*(?:media_client|awkward_client|usage)\.py:.*$", told, re.MULTILINE) == [], told
    assert lines_at_fault(told) == set(range(5, 5 + len(MISTAKES))), told


@pytest.mark.parametrize("width", [88, 120])
def test_it_is_formatted(checked: Path, width: int) -> None:
    """At the formatter's own width and at a wider one: whoever commits it has nothing to format."""
    told = run(checked, "ruff", "format", "--isolated", "--line-length", str(width), "--diff", "media_client.py")
    assert told.strip() == "1 file already formatted"


def test_it_is_the_same_each_time() -> None:
    """Nothing of the day, the machine or the run is in it, so that a difference is a difference of the API."""
    assert client_source(SPEC) == client_source(json.loads(json.dumps(SPEC)))


def test_it_needs_httpx_and_nothing_else() -> None:
    """Beside httpx only the standard library is imported."""
    tree = ast.parse(client_source(SPEC))
    imported = {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names) == {"httpx"}


class Waitless(ast.NodeTransformer):
    """Takes out of a tree what only the async face has."""

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """``async def`` as ``def``."""
        return self.generic_visit(ast.copy_location(ast.FunctionDef(**dict(ast.iter_fields(node))), node))

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        """``async for`` as ``for``."""
        return self.generic_visit(ast.copy_location(ast.For(**dict(ast.iter_fields(node))), node))

    def visit_Await(self, node: ast.Await) -> ast.AST:
        """What is awaited, not awaited."""
        return self.visit(node.value)  # type: ignore[no-any-return]  # typeshed: visit gives Any


def test_both_faces_are_one_text() -> None:
    """But for waiting, and for the names that httpx gives it, the two clients are the same, docstrings included."""
    tree = ast.parse(client_source(SPEC))
    sync, waiting = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.endswith("Client"))
    text = ast.unparse(Waitless().visit(waiting))
    text = re.sub(r"\bAsync(?=Client|Iterator)|(?<=\.)a(?=close|read|iter_bytes)", "", text)
    text = re.sub(r"def aclose|__a(?=enter|exit)", lambda found: found[0].replace("a", "", 1), text)
    text = text.replace("Awaitable[Page[_T, _M]]", "Page[_T, _M]")
    assert text == ast.unparse(sync)


def test_the_faces_have_a_name() -> None:
    """An application names its client."""
    module = module_of(client_source(SPEC, class_name="Library"), "named_library_client")
    assert (module.Library.__name__, module.AsyncLibrary.__name__) == ("Library", "AsyncLibrary")


@pytest.mark.parametrize("name", ["library", "a b", "None", "Answer", "Client(object): pass\nclass X", "_X", "Ünd"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """It would be code, or hide what the module needs."""
    with pytest.raises(ConfigurationError, match="class_name"):
        client_source(SPEC, class_name=name)


@pytest.mark.parametrize("spec", [{}, {"openapi": "3.0.3"}, {"swagger": "2.0"}, {"openapi": 3.1}, []])
def test_a_document_of_another_kind_is_refused(spec: Any) -> None:
    """Nothing is guessed from it."""
    with pytest.raises(ConfigurationError, match=r"OpenAPI 3\.1"):
        client_source(spec)


def test_an_operation_id_that_stands_twice_is_refused() -> None:
    """One of the two could not be called."""
    spec = copy.deepcopy(SPEC)
    spec["paths"]["/tags"]["get"]["operationId"] = "get_stats"
    with pytest.raises(ConfigurationError, match="'get_stats' twice"):
        client_source(spec)


@pytest.mark.parametrize(
    ("servers", "header"),
    [
        ([{"url": "/api"}], '{"API-Version": "1"}'),
        ([{"url": "https://library.test/api/v1/"}], "{}"),
        ([{"url": "/{base}", "variables": {"base": {"default": "api/v1"}}}], "{}"),
        ([], '{"API-Version": "1"}'),
    ],
)
def test_a_path_without_a_version_is_asked_with_one(servers: list[Any], header: str) -> None:
    """The version is in the path, or in a header: never left to the server."""
    assert f"_FIXED: Mapping[str, str] = {header}\n" in client_source(SPEC | {"servers": servers})


def one(schema: object, **schemas: object) -> str:
    """The source of a client whose only answer is by ``schema``."""
    answer = {"content": {"application/json": {"schema": schema}}}
    paths = {"/a": {"get": {"operationId": "ask", "responses": {"200": answer}}}}
    return client_source({"openapi": "3.1.0", "info": {}, "paths": paths, "components": {"schemas": schemas}})


@pytest.mark.parametrize(
    ("schema", "hint"),
    [
        ({}, "object"),
        (True, "object"),
        ({"type": "string"}, "str"),
        ({"type": ["integer", "null"]}, "int | None"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}, {"type": "integer"}]}, "str | int | None"),
        ({"anyOf": [{"type": "string"}, {}]}, "object"),
        ({"type": "string", "format": "uuid"}, "UUID"),
        ({"type": "string", "format": "no-format"}, "str"),
        ({"enum": ["a", 1, None]}, "str | int | None"),
        ({"enum": [{}]}, "object"),
        ({"const": True}, "bool"),
        ({"type": "array", "items": {"anyOf": [{"type": "number"}, {"type": "null"}]}}, "list[float | None]"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "dict[str, int]"),
        ({"type": "object"}, "dict[str, object]"),
        ({"type": "tuple"}, "object"),
        ({"$ref": "#/components/schemas/Missing"}, "object"),
        ({"$ref": "https://elsewhere.example/schema"}, "object"),
        ({"$ref": "#/components/schemas/Circle"}, "object"),
        ({"$ref": "#/components/schemas/Json"}, "str | list[object]"),
        ({"$ref": "#/components/schemas/Tree"}, "Tree"),
        ({"allOf": [{"$ref": "#/components/schemas/Tree"}], "description": "A tree."}, "AskAnswer"),
    ],
)
def test_a_schema_has_its_type(schema: object, hint: str) -> None:
    """What cannot be told is ``object``, which promises nothing; nothing outside the document is asked for."""
    source = one(
        schema,
        Circle={"$ref": "#/components/schemas/Circle"},
        Json={"anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/components/schemas/Json"}}]},
        Tree={"properties": {"twigs": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}}},
    )
    assert f"def ask(self) -> Answer[{hint}, None]:" in source


def test_a_union_is_told_by_its_constant() -> None:
    """Two shapes of the same members are told apart by the member that is constant."""
    shapes = [
        {"properties": {"kind": {"const": kind}, "n": {"type": "integer"}}, "required": ["kind", "n"], "title": kind}
        for kind in ("a", "b")
    ]
    module = module_of(one({"oneOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}]},
                           A=shapes[0], B=shapes[1]), "union_client")  # fmt: skip
    read = module._either(module._when("kind", "a", module.A._read), module._when("kind", "b", module.B._read))
    assert "_when(" in one({"oneOf": [{"$ref": "#/components/schemas/A"}]}, A=shapes[0])
    assert read({"kind": "b", "n": 1}) == module.B(kind="b", n=1)


def test_statuses_of_different_shapes_are_read_by_their_status() -> None:
    """What 202 answers is not what 200 answers."""
    responses = {
        "200": {"content": {"application/json": {"schema": {"properties": {"data": {"type": "string"}}}}}},
        "202": {"content": {"application/json": {"schema": {"properties": {"data": {"type": "integer"}}}}}},
        "4XX": {},
    }
    paths = {"/a": {"get": {"operationId": "ask", "responses": responses}}}
    source = client_source({"openapi": "3.1.0", "info": {}, "paths": paths})
    assert "def ask(self) -> Answer[str, None] | Answer[int, None]:" in source
    assert "_by_status(200, _answer(_text), _answer(_integer))" in source


def test_awkward_names_together_stay_names() -> None:
    """Each of the names that the module itself uses, in turn in every place."""
    assert_nothing_but_own(client_source(hostile(AWKWARD)))


@pytest.mark.parametrize("depth", [50, 5_000])
def test_a_deep_schema_ends(depth: int) -> None:
    """A document nested without end is typed as far as it is of use."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    assert ast.parse(one(schema)).body


def test_a_wide_web_of_references_ends() -> None:
    """Each component is read once, however many ways lead to it."""
    web: dict[str, object] = {
        f"N{n}": {key: [{"$ref": f"#/components/schemas/N{n + 1}"}] * 3}
        for n in range(60)
        for key in [("anyOf", "allOf")[n % 2]]
    }
    assert ast.parse(one({"$ref": "#/components/schemas/N0"}, **web, N60={"type": "string"})).body


# Each is a name that the module itself uses, in one way or another.
AWKWARD = ["int", "Answer", "list", "Client", "str", "date", "from", "object", "Page", "bytes", "httpx", "os", "close"]
AWKWARD += ["classmethod", "datetime", "self", "Literal", "UNSET", "_Ask", "destination", "csrf_token", "Unset", "cls"]
EVIL = [
    *AWKWARD,
    '"""\nimport os\n"""',
    "'''",
    "\\",
    '\\"""',
    '"',
    "a\nb\r\nc\u2028d\x00",
    "\u202e",
    "{}",
    "{x}",
    "*/",
    "%s",
    "@async@",
    "@client@",
    "class",
    "None",
    "__class__",
    "__init__",
    "_read",
    "_call",
    "\ud800",
    "ﬁ",
    "x] | None = print(1)  #",
    "): pass\nprint(1)\ndef f(",
    "",
]
TEXTS = st.lists(st.one_of(st.sampled_from(EVIL), st.text(max_size=12)), min_size=1, max_size=7)


def hostile(texts: list[str]) -> dict[str, Any]:
    """A document that has these texts, in turn, in every place where a text may stand."""
    turn = itertools.cycle(texts)

    def keys(*values: object) -> dict[str, Any]:
        return {next(turn) + ("" if number == 0 else str(number)): value for number, value in enumerate(values)}

    members = keys({"type": "string"}, {"enum": [next(turn), next(turn)]}, {"const": next(turn)}, {"type": "integer"})
    shape = {"properties": members, "required": [*members][:2], "description": next(turn)}
    components = keys(shape, {"anyOf": [shape, {"type": "array", "items": shape}, {"type": "null"}]}, {"enum": [1]})
    references = [{"$ref": f"#/components/schemas/{name}"} for name in components]
    nested = {"properties": keys(*references, shape), "description": next(turn)}
    parameters = [
        {"name": next(turn), "in": place, "schema": schema, "description": next(turn), "required": required}
        for place in ("query", "header", "path")
        for schema, required in [({"enum": [next(turn), next(turn)]}, True), (references[1], False)]
    ]
    page = {"properties": {"data": {"type": "array", "items": references[0]}, "next": {}, "meta": nested}}
    after = {"name": "after", "in": "query", "schema": {"type": "string"}}
    file: dict[str, Any] = {next(turn): {"schema": {}}}
    bodies: list[dict[str, Any]] = [
        {"application/json": {"schema": one}} for one in (nested, references[1], references[0])
    ]
    bodies += [{"multipart/form-data": {"schema": {"properties": keys({"format": "binary"}, {})}}}, file]
    operations = {
        f"/{next(turn)}/{{{next(turn)}}}/{number}": {
            verb: {
                "operationId": f"{next(turn)}{number}",
                "summary": next(turn),
                "description": next(turn),
                "parameters": [*parameters, after],
                "requestBody": {"content": body},
                "responses": {"200": {"content": answer}},
            }
        }
        for number, (verb, body) in enumerate(zip(["post", "patch", "put", "post", "delete"], bodies, strict=True))
        for answer in [({"application/json": {"schema": page if number % 2 else nested}} if number < 4 else file)]
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": next(turn), "version": next(turn)},
        "servers": [{"url": "/" + quote(next(turn), errors="replace")}],
        "paths": operations,
        "components": {"schemas": components},
    }


_ONE_BY_ONE = [pytest.param(name, marks=pytest.mark.soak) for name in AWKWARD]


@pytest.mark.parametrize("text", [*_ONE_BY_ONE, *EVIL[len(AWKWARD) :]])
def test_a_hostile_text_stays_text(text: str) -> None:
    """In each place of a document that holds it."""
    assert_nothing_but_own(client_source(hostile([text])))


@settings(max_examples=10, deadline=None)
@given(texts=TEXTS)
def test_no_text_of_a_document_becomes_code(texts: list[str]) -> None:
    """Whatever a document says, the module compiles, runs, and has no statement and no call but the generator's own."""
    assert_nothing_but_own(client_source(hostile(texts)))


def assert_nothing_but_own(source: str) -> None:
    """Assert that the module can be written, imported, and is made of what the generator makes."""
    source.encode()
    module_of(source, "hostile_client")
    for node in ast.parse(source).body[_shared_length() :]:
        assert_own(node)


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 1, "text", "", [], [[]], {}, [{}], {"$ref": "#/paths"}, {"$ref": 1}, ["200"]]
)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_document_that_is_wrong_somewhere_makes_a_client_or_is_refused(data: st.DataObject) -> None:
    """What is of another kind than it should be is passed over; no part of it breaks the generator."""
    spec = copy.deepcopy(SPEC)
    node: Any = spec
    for _ in range(data.draw(st.integers(0, 12))):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        deeper = [key for key in keys if isinstance(node[key], dict | list) and node[key]]
        if not deeper:
            break
        node = node[data.draw(st.sampled_from(deeper))]
    key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else list(range(len(node)))))
    node[key] = data.draw(JUNK)
    try:
        compile(client_source(spec), "client.py", "exec")
    except ConfigurationError:
        assert "openapi" not in spec or not str(spec["openapi"]).startswith("3.1")


@cache
def helpers() -> set[str]:
    """The names of the functions that generated code may call."""
    module = module_of(client_source({"openapi": "3.1.0"}), "bare_client")
    return {name for name in dir(module) if name.startswith("_")}


@cache
def _shared_length() -> int:
    """How many statements come before the first that is of the document."""
    bare = ast.parse(client_source({"openapi": "3.1.0"})).body
    return len(bare) - 2  # the two clients are the last


def assert_own(node: ast.stmt) -> None:
    """Assert that a statement is one that the generator makes: a class, an alias, a text."""
    assert isinstance(node, ast.ClassDef | ast.AnnAssign | ast.Assign | ast.Expr), ast.dump(node)
    if isinstance(node, ast.Expr):
        assert isinstance(node.value, ast.Constant)
    if isinstance(node, ast.AnnAssign):
        assert isinstance(node.value, ast.Subscript)
    if isinstance(node, ast.Assign):
        assert isinstance(node.value, ast.Call)
    if not isinstance(node, ast.ClassDef):
        return
    template = {"__init__", "_request", "_call", "_save", "_every", "close", "aclose", "__exit__", "__aexit__"}
    for inner in node.body:
        assert isinstance(inner, ast.Expr | ast.AnnAssign | ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(inner, ast.Expr):
            assert isinstance(inner.value, ast.Constant)
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and inner.name not in template:
            kinds = [type(one).__name__ for one in inner.body]
            assert kinds in (["Expr", "Return"], ["Assign", "Return"], ["Return"]), kinds
            for call in (one for one in ast.walk(inner) if isinstance(one, ast.Call)):
                name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
                own = isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "self"
                assert own or name in helpers() | {"cls"}, name
