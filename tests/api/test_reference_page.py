"""The readable page: everything that the document says, nothing that runs, and commands that can be pasted."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, expect

from postrmagic_core.api.openapi.calls import calls
from postrmagic_core.api.openapi.shapes import in_words, rows
from postrmagic_core.api.page_style import STYLE
from postrmagic_core.api.reference_page import reference_html
from tests.api.openapi.sketch import described
from tests.app.chromium import violations
from tests.chromium import launched

HOSTILE = "<script>alert(1)</script><b onclick='x'>\"&amp;'</b>\r\n\x00</code></pre>``<i>`` `<i>` ```<i>"
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class Outline(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """An element ends: the one that began last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text."""
        self.texts.append(data)

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document of the sketch."""
    return described()


@pytest.fixture(scope="module")
def page(document: dict[str, Any]) -> bytes:
    """Its page."""
    return reference_html(document, stylesheet="/api/v1/docs.css")


def test_the_page_tells_what_the_document_says(page: bytes) -> None:
    """Of each operation its method, its path, what it needs, takes and answers, and what may go wrong."""
    text = Outline(page).text
    for words in (
        "Library 1.2.0",
        "Posters and flyers.",
        "List your media GET /media",
        "Needs the permission media:read , for what is the caller's own.",
        "For who is signed in.",
        "Open to everybody.",
        "limit integer (1 to 100), 24 if left out How many at most.",
        "tag list (at most 5 items) of text (1 to 40 characters) Each of these.",
        "file required file (image/png, image/webp)",
        "data[].facts[] (Colour).hex text",
        "200 OK: image/webp, image/png",
        "204 No Content: no body",
        "Location Where the medium is.",
        "404 media.not_found No such medium. It was deleted, or is not yours. Ask for the list.",
        "Deprecated since 2026-01-01; it ends on 2027-01-01. What takes its place",
        '"title": "Jazz at the harbour"',
        "In the header Authorization , by the scheme Bearer.",
    ):
        assert words in text, words


def test_the_page_is_well_formed_and_runs_nothing(page: bytes) -> None:
    """No script, no style of its own, nothing from elsewhere; each link within it leads somewhere."""
    outline = Outline(page)
    assert outline.open == []
    tags = [tag for tag, _ in outline.elements]
    assert not {"script", "style", "img", "iframe", "form", "input"} & set(tags)
    assert tags.count("h1") == tags.count("main") == 1
    names = {name for _, attributes in outline.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [str(attributes["href"]) for _, attributes in outline.elements if "href" in attributes]
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert {link for link in links if not link.startswith("#")} == {
        "/api/v1/docs.css",
        "/api/v1/openapi.json",
        "/docs/deleting",
    }


def spoilt(value: Any) -> Any:
    """The same with hostile texts wherever there is one that is free."""
    if isinstance(value, list):
        return [spoilt(one) for one in value]
    if not isinstance(value, dict):
        return value
    free = {"description", "summary", "title", "name", "x-access", "x-sunset", "x-deprecation-link", "pattern", "url"}
    return {
        key: HOSTILE if key in free and isinstance(one, str) and value.get("in") != "path" else spoilt(one)
        for key, one in value.items()
    }


def test_hostile_texts_are_shown_as_texts(document: dict[str, Any], page: bytes) -> None:
    """The page has the same elements, whatever the document says; and the text is there to be read."""
    hostile = spoilt(copy.deepcopy(document))
    hostile["tags"] = document["tags"]
    found = Outline(reference_html(hostile, stylesheet='"><script>'))
    assert not {"script", "b", "i", "style"} & {tag for tag, _ in found.elements}
    assert found.open == []
    assert "<script>alert(1)</script>" in found.text
    names = {name for _, attributes in found.elements for name in attributes}
    assert names <= {name for _, attributes in Outline(page).elements for name in attributes}


def test_a_link_to_a_script_is_none(document: dict[str, Any]) -> None:
    """Only what is fetched is linked."""
    changed = copy.deepcopy(document)
    changed["paths"]["/media/{id}"]["delete"]["x-deprecation-link"] = "javascript:alert(1)"
    made = reference_html(changed, stylesheet="/s.css")
    assert b"javascript:" not in made


def test_descriptions_have_paragraphs_and_code(document: dict[str, Any], page: bytes) -> None:
    """Blank lines and backquotes, in summaries too; nothing else is markup."""
    changed = copy.deepcopy(document)
    changed["paths"]["/media"]["get"]["summary"] = "List `media` **now**"
    made = reference_html(changed, stylesheet="/s.css")
    assert made.count(b"List <code>media</code> **now**</") == 2
    assert b"<p>Newest first.</p>\n<p>Ask with <code>after</code> for the page that follows.</p>" in page


def test_an_empty_document_has_a_page() -> None:
    """Nothing but its heading."""
    made = Outline(reference_html({"openapi": "3.1.1"}, stylesheet="/s.css"))
    assert "API" in made.text
    assert made.open == []


def test_a_schema_within_itself_ends() -> None:
    """It is named, and not opened again; a reference to nothing but itself ends too."""
    loop = {"components": {"schemas": {"A": {"$ref": "#/components/schemas/A"}}}}
    assert rows(loop, {"$ref": "#/components/schemas/A"}) == []
    tree = {
        "components": {
            "schemas": {"T": {"type": "object", "properties": {"t": {"anyOf": [{"$ref": "#/components/schemas/T"}]}}}}
        }
    }
    assert [row.place for row in rows(tree, {"$ref": "#/components/schemas/T"})] == ["t"]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "minLength": 1}, "text (at least 1 characters)"),
        ({"type": "integer", "minimum": 0}, "integer (at least 0)"),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, "number (above 0, below 1)"),
        ({"enum": ["a", 1, None]}, '"a" | 1 | null'),
        ({"const": None}, "null"),
        ({"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]}, "text (at most 9 characters) or null"),
        ({"type": "array"}, "list of anything"),
        ({"type": "object", "additionalProperties": {"type": "boolean"}}, "object of boolean"),
        ({"type": "string", "format": "date-time"}, "instant"),
        ({}, "anything"),
    ],
)
def test_types_are_told_in_words(schema: dict[str, Any], words: str) -> None:
    """With their limits."""
    assert in_words({}, schema) == words


def words_of(command: str) -> list[str]:
    """What a shell would give to curl."""
    script = f"API=https://api.test TOKEN=secret SESSION=s KEY=k; curl() {{ printf '%s\\0' \"$@\"; }}\n{command}\n"
    # Where a text got out of its quotation marks, it finds no program and no file.
    with TemporaryDirectory() as empty:
        done = subprocess.run(
            ["/bin/sh", "-c", script], capture_output=True, check=True, cwd=empty, env={"PATH": empty}
        )
    assert done.stderr == b""
    return done.stdout.decode().split("\0")[:-1]


def shown(document: dict[str, Any], path: str, method: str) -> list[str]:
    """The words of the first example's command."""
    return words_of(calls(document, path, method, document["paths"][path][method])[0].command)


def test_examples_are_commands_of_curl(document: dict[str, Any]) -> None:
    """Ready to be pasted."""
    proof = ["-H", "Authorization: Bearer secret"]
    assert shown(document, "/media", "get") == ["https://api.test/media?q=jazz&limit=2", *proof]
    assert shown(document, "/media", "post") == [
        *("-X", "POST", "https://api.test/media", *proof),
        *("-F", "file=@jazz.png", "--form-string", "title=Jazz", "--form-string", "tags=jazz"),
    ]
    change = shown(document, "/media/{id}", "patch")
    assert change[:-1] == [
        *("-X", "PATCH", "https://api.test/media/7", *proof, "-H", "Content-Type: application/json", "--data"),
    ]
    assert json.loads(change[-1]) == {"title": "Jazz at the harbour"}
    assert shown(document, "/media/{id}", "delete") == ["-X", "DELETE", "https://api.test/media/7", *proof]
    assert shown(document, "/media/{id}/{variant}", "get") == [
        *("https://api.test/media/ID/VARIANT", "--output", "answer.webp"),
    ]
    assert shown(document, "/health/{node}", "get")[1:] == []


def test_each_example_has_its_answer(document: dict[str, Any]) -> None:
    """A refusal too."""
    found = calls(document, "/media/{id}", "patch", document["paths"]["/media/{id}"]["patch"])
    assert [(one.title, one.status) for one in found] == [("Another title", "200"), ("A medium that is gone", "404")]


def test_who_calls_is_told_as_the_document_asks(document: dict[str, Any]) -> None:
    """By a token before a cookie before a key; a public operation tells nothing."""
    schemes: dict[str, Any] = {
        "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "session": document["components"]["securitySchemes"]["session"],
    }
    changed = {**document, "components": {**document["components"], "securitySchemes": schemes}}
    assert shown(changed, "/media", "get")[1:] == ["--cookie", "session=s"]
    del schemes["session"]
    changed["paths"]["/media"]["get"]["security"] = [{"key": []}]
    assert shown(changed, "/media", "get")[1:] == ["-H", "X-Key: k"]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["$(id)", "`id`", "';id;'", '"$HOME"', "\\", "a\nb", "!x", "{a,b}", "[1-3]", "@/etc/passwd", "<x", 'a;"b', "é&="]
)


@settings(max_examples=25, deadline=None)
@given(path=TEXTS, query=TEXTS, body=TEXTS, file=TEXTS)
def test_whatever_an_example_holds_stays_one_word(path: str, query: str, body: str, file: str) -> None:
    """A shell runs nothing of it, and curl reads no file but the one that is meant."""

    def told(value: Any) -> dict[str, Any]:
        return {"examples": {"k": {"summary": "x", "value": value}}}

    operation = {
        "parameters": [
            {"name": "p", "in": "path", "required": True, **told(path)},
            {"name": "q", "in": "query", **told(query)},
        ],
        "requestBody": {"content": {"application/json": told({"text": body})}},
    }
    form = {
        "schema": {"properties": {"f": {"contentMediaType": "image/png"}, "t": {"type": "string"}}},
        **told({"f": file, "t": body}),
    }
    sent = {"requestBody": {"content": {"multipart/form-data": form}}}
    commands = [calls({}, "/a/{p}", "post", operation)[0].command, calls({}, "/a", "post", sent)[0].command]
    given = words_of("\n".join(commands))
    assert given[:2] == ["-X", "POST"]
    assert re.fullmatch(r"https://api\.test/a/[A-Za-z0-9._~%-]*\?q=[A-Za-z0-9._~%-]*", given[2])
    assert given[3:6] == ["-H", "Content-Type: application/json", "--data"]
    assert json.loads(given[6]) == {"text": body}
    assert given[7:11] == ["-X", "POST", "https://api.test/a", "-F"]
    assert given[11].startswith("f=@")
    assert given[12:] == ["--form-string", f"t={body}"]


@contextmanager
def serving(directory: Path) -> Iterator[str]:
    """The files of a directory under the policy that the page is made for."""

    class Handler(SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", POLICY)
            super().end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(directory)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all."""
    with launched() as browser:
        yield browser


@pytest.mark.soak
@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_page_can_be_read_by_everybody(
    chromium: Browser, document: dict[str, Any], tmp_path: Path, scheme: Any, width: int
) -> None:
    """Light and dark, on a phone, by keyboard; axe finds nothing, and nothing is refused by the policy."""
    (tmp_path / "index.html").write_bytes(reference_html(document, stylesheet="/docs.css"))
    (tmp_path / "docs.css").write_text(STYLE)
    complaints: list[str] = []
    asked: list[str] = []
    with (
        serving(tmp_path) as origin,
        chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context,
    ):
        opened = context.new_page()
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("request", lambda request: asked.append(request.url.removeprefix(origin)))
        opened.goto(f"{origin}/index.html")
        assert asked == ["/index.html", "/docs.css"]
        opened.keyboard.press("Tab")
        skip = opened.get_by_role("link", name="Skip to the operations")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        opened.keyboard.press("Enter")
        expect(opened.get_by_role("main")).to_be_focused()
        answers = opened.locator("article#list_media details").first
        answers.locator("summary").focus()
        opened.keyboard.press("Enter")
        expect(answers).to_have_attribute("open", "")
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(opened) == []
    assert [one for one in complaints if "favicon" not in one] == []
