"""Output is encoded for its context: nothing from outside becomes markup, script, formula, header or address."""

from __future__ import annotations

import csv
import io
import json
from email.message import Message
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.validation.output import (
    content_disposition,
    csv_cell,
    escape_html,
    json_for_script,
    safe_redirect,
)

HOSTILE = ["</script><script>", "<!--", "-->", '" onclick="x', "' x='", "&lt;", "\u2028", "\r\nX: y", "]]>", "\0"]


TREES: st.SearchStrategy[Any] = st.recursive(
    st.text(max_size=9) | st.integers(),
    lambda inner: st.dictionaries(st.text(max_size=9), inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=6,
)


class Reader(HTMLParser):
    """Reads back the one element and the one attribute."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.starts: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element."""
        self.starts.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        """Text."""
        self.text += data


@given(st.sampled_from(HOSTILE) | st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"])))
def test_html_reads_back_as_text(text: str) -> None:
    """In an element and in a quoted attribute, what is read is what was written, and nothing else came to be."""
    for quote in "\"'":
        read = Reader(f"<p title={quote}{escape_html(text)}{quote}>{escape_html(text)}</p>")
        assert [(tag, [name for name, _ in attrs]) for tag, attrs in read.starts] == [("p", ["title"])]
        assert read.text == text
        assert read.starts[0][1][0][1] == text


@given(TREES)
def test_json_cannot_leave_its_script(value: Any) -> None:
    """It means the same, and holds no character that ends a script, a comment or a line."""
    text = json_for_script({"v": value, "h": HOSTILE})
    assert json.loads(text) == {"v": value, "h": HOSTILE}
    assert not set(text) & set("<>&\u2028\u2029")


def test_json_for_script_refuses_what_json_lacks() -> None:
    """NaN would end the script with a syntax error elsewhere."""
    with pytest.raises(ValueError, match="JSON compliant"):
        json_for_script(float("nan"))


@pytest.mark.parametrize(
    "first", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "|", "\uff1d", "\uff20", " =", "\u00a0="]
)
def test_a_cell_is_no_formula(first: str) -> None:
    """Text that a spreadsheet would run begins with an apostrophe."""
    assert csv_cell(f"{first}cmd|' /C calc'!A0") == f"'{first}cmd|' /C calc'!A0"


def test_ordinary_cells_stay() -> None:
    """Numbers stay numbers, text stays text, nothing is empty; the csv module does the quoting."""
    output = io.StringIO()
    csv.writer(output).writerow([csv_cell(value) for value in (-5, 1.5, None, "a,b", 'say "x"', "a=b", True, "")])
    assert output.getvalue() == '-5,1.5,,"a,b","say ""x""",a=b,True,\r\n'


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("poster.png", 'attachment; filename="poster.png"'),
        ("../../x.png", 'attachment; filename="x.png"'),
        (
            'a"; filename="b.exe',
            "attachment; filename=\"a__ filename=_b.exe\"; filename*=UTF-8''a_%3B%20filename%3D_b.exe",
        ),
        ("a\r\nX: y.png", 'attachment; filename="aX_ y.png"'),
        ("Größe.png", "attachment; filename=\"Groe.png\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.png"),
        ("海报", "attachment; filename=\"file\"; filename*=UTF-8''%E6%B5%B7%E6%8A%A5"),
        ("gpj\u202e.exe", 'attachment; filename="gpj.exe"'),
        ("100%.png", 'attachment; filename="100_.png"'),
    ],
)
def test_a_download_has_its_name(name: str, header: str) -> None:
    """RFC 6266: an ASCII name for everyone, and the real one (RFC 8187) where ASCII cannot say it."""
    assert content_disposition(name) == header


@given(st.text())
def test_a_header_is_one_line_of_ascii(name: str) -> None:
    """Whatever the name, the header is printable ASCII, has one file name, and no path."""
    value = content_disposition(name, "inline")
    assert all(" " <= character <= "~" for character in value)
    message = Message()
    message["Content-Disposition"] = value
    read = message.get_filename()
    assert read
    assert not set(read) & set('/\\"\r\n')
    assert value.count('"') == 2


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/media/1?x=y#z",
        "/%2f%2fevil.example",
        "https://app.example/x",
        "http://app.example:8080/",
        "HTTPS://app.example/",
    ],
)
def test_a_redirect_here_or_to_a_listed_host_stays(target: str) -> None:
    """Paths of this site, and hosts exactly as listed."""
    assert safe_redirect(target, hosts={"app.example", "app.example:8080"}) == target


@pytest.mark.parametrize(
    "target",
    [
        None,
        "",
        "media",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "\n//evil.example",
        " //evil.example",
        "https:evil.example",
        "https:/app.example",
        "https:///app.example",
        "https://evil.example",
        "https://app.example@evil.example",
        "https://evil.example@app.example",
        "https://app.example.evil.example",
        "https://app.example:444",
        "https://app.example\\@evil.example",
        "https://[app.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://app.example/",
        "/caf\u00e9",
        "/\u2044evil",
        "/" + "x" * 3000,
    ],
)
def test_any_other_redirect_goes_to_the_default(target: str | None) -> None:
    """Also what browsers would repair into another address (WHATWG URL)."""
    assert safe_redirect(target, hosts={"app.example"}, default="/home") == "/home"
