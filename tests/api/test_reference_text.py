"""The reference as Markdown: everything the document says, and nothing of it as markup."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from postrmagic_core.api.reference_text import reference_markdown
from tests.api.openapi.sketch import described

ROOT = Path(__file__).parents[2]
HOSTILE = [
    "<script>x</script>",
    "`a|b`",
    "**b** _c_ [d](javascript:x)",
    "| a | b |",
    "# title",
    "\\`",
    "a\n\nb",
    "``x|y``",
]


def html(text: str) -> str:
    """What a renderer of Markdown makes of it, with raw HTML as the documentation allows it."""
    rendered: str = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    return rendered


def words(text: str) -> str:
    """The text of a page without its markup."""
    return re.sub(r"<[^>]+>", "", html(text))


@pytest.fixture
def document() -> dict[str, Any]:
    """The document of the sketch."""
    return described()


def test_every_operation_is_told(document: dict[str, Any]) -> None:
    """Its path, its summary, and a command of curl for it."""
    text = reference_markdown(document)
    for path, item in document["paths"].items():
        for method in item:
            assert f"`{method.upper()} {path}`" in text
            assert item[method]["summary"].replace("_", "\\_") in text
    assert text.count("curl ") >= sum(len(item) for item in document["paths"].values())


def test_tables_are_whole(document: dict[str, Any]) -> None:
    """Each line of a table has as many cells as its head: no bar of a text ends one."""
    width = 0
    for line in reference_markdown(document).splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert not (width and cells) or cells == width
        width = cells


def test_titles_begin_at_the_level_asked_for(document: dict[str, Any]) -> None:
    """So that the text can stand within another page."""
    text = reference_markdown(document, level=3)
    assert text.startswith("### ")
    assert not re.search(r"^#{1,2} ", text, re.MULTILINE)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_text_is_no_markup(document: dict[str, Any], hostile: str) -> None:
    """Whatever a title, a description, an enumeration or an example holds is read as it was written."""
    document["info"]["title"] = hostile
    document["info"]["description"] = hostile
    for item in document["paths"].values():
        for operation in item.values():
            operation["summary"] = operation["description"] = hostile
            for parameter in operation.get("parameters", ()):
                if "$ref" not in parameter:
                    parameter["description"] = hostile
                    parameter["schema"] = {"enum": [hostile]}
    found = html(reference_markdown(document))
    assert not re.search(r"<(?!/?(?:h\d|p|table|thead|tbody|tr|th|td|code|pre|em|strong|ul|li|br)\b)", found)
    assert 'javascript:x"' not in found


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40))
@settings(max_examples=60, deadline=None)
def test_a_summary_is_shown_as_it_is(text: str) -> None:
    """Given any text of one line, the page shows its words."""
    spec = {"info": {}, "paths": {"/x": {"get": {"summary": f"a {text} b", "operationId": "x", "responses": {}}}}}
    shown = words(reference_markdown(spec))
    plain = " ".join(f"a {text} b".split())
    escaped = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    assert escaped in " ".join(shown.split()) or plain in " ".join(shown.split())


def test_the_documentation_is_of_this_specification() -> None:
    """``postrmagic api reference examples/media_library/openapi.json -o docs/reference/api-v1.md`` writes it anew."""
    spec = json.loads((ROOT / "examples/media_library/openapi.json").read_text(encoding="utf-8"))
    assert (ROOT / "docs/reference/api-v1.md").read_text(encoding="utf-8") == reference_markdown(spec)
