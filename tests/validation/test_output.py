"""Output is encoded for its context: nothing from outside becomes markup, script, formula, header or address."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import string
from collections.abc import Callable
from email.message import Message
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.errors import EncodeError, UsageError
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation.output import (
    attribute,
    content_disposition,
    css_string,
    csv_cell,
    csv_lines,
    escape_html,
    js_string,
    json_for_script,
    json_script,
    safe_redirect,
    url,
    url_component,
)
from tests.validation.fuzzing import quick
from tests.validation.xss_payloads import ALL

ANY = st.text(st.characters(), max_size=40) | st.sampled_from(ALL)  # lone surrogates and NUL among them
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


@quick
@given(st.sampled_from(HOSTILE) | st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"])))
def test_html_reads_back_as_text(text: str) -> None:
    """In an element and in a quoted attribute, what is read is what was written, and nothing else came to be.

    NUL, which parsers treat each in its way, became U+FFFD.
    """
    for quote in "\"'":
        read = Reader(f"<p title={quote}{escape_html(text)}{quote}>{escape_html(text)}</p>")
        assert [(tag, [name for name, _ in attrs]) for tag, attrs in read.starts] == [("p", ["title"])]
        assert read.text == text.replace("\0", "\ufffd")
        assert read.starts[0][1][0][1] == text.replace("\0", "\ufffd")


@quick
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
    "first", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "|", "\uff1d", "\uff20", " =", "\u00a0=", "\u3000\u200b="]
)
def test_a_cell_is_no_formula(first: str) -> None:
    """Text that a spreadsheet would run begins with an apostrophe; NUL is replaced besides."""
    shown = first.replace("\0", "\ufffd")
    assert csv_cell(f"{first}cmd|' /C calc'!A0") == f"'{shown}cmd|' /C calc'!A0"


def test_ordinary_cells_stay() -> None:
    """Numbers stay numbers, text stays text, nothing is empty; the csv module does the quoting."""
    output = io.StringIO()
    csv.writer(output).writerow([csv_cell(value) for value in (-5, 1.5, None, "a,b", 'say "x"', "a=b", True, "")])
    assert output.getvalue() == '-5,1.5,,"a,b","say ""x""",a=b,True,\r\n'


def fit(text: str) -> str:
    """NUL and lone surrogates replaced."""
    return re.sub("[\0\ud800-\udfff]", "\ufffd", text)


ENCODERS: dict[str, Callable[[str], str]] = {
    "escape_html": escape_html,
    "attribute": lambda text: attribute("title", text),
    "js_string": js_string,
    "css_string": css_string,
    "json_for_script": json_for_script,
    "json_script": lambda text: json_script(text, id=text),
    "url_component": url_component,
    "url": lambda text: url("/", path=[f"x{text}"], query={text: text}),
    "csv_cell": csv_cell,
    "csv_lines": lambda text: "".join(csv_lines([[text]])),
    "content_disposition": content_disposition,
}


@pytest.mark.parametrize("encoder", ENCODERS)
@settings(max_examples=40, deadline=None)
@given(text=ANY)
def test_every_text_has_an_encoding_that_can_be_sent(encoder: str, text: str) -> None:
    """Whatever the text, the result is UTF-8 without NUL."""
    encoded = ENCODERS[encoder](text).encode()
    assert b"\0" not in encoded


@pytest.mark.parametrize("encoder", ENCODERS)
def test_encoding_is_linear(encoder: str) -> None:
    """Twice as many characters that each need an escape take no more than twice as long."""
    for part in ("<", "\ud800", ";", " ="):

        def encode(size: int, part: str = part) -> str:
            return ENCODERS[encoder](part * size)

        assert growth(encode, 4_000) < 3


@quick
@given(ANY)
def test_a_string_of_a_script_reads_back(text: str) -> None:
    """It is one literal, of characters that mean nothing to HTML, and says the text; Python reads it alike."""
    literal = js_string(text)
    assert ast.literal_eval(literal.encode().decode()).encode("utf-16", "surrogatepass").decode("utf-16") == fit(text)
    assert set(literal[1:-1]) <= set(string.ascii_letters + string.digits + " ,._-\\")
    assert (literal[0], literal[-1]) == ("'", "'")


@quick
@given(ANY)
def test_a_string_of_a_style_reads_back(text: str) -> None:
    """It is one string, of letters, digits and escapes of six digits, so that nothing that follows belongs to one."""
    literal = css_string(text)
    assert re.fullmatch(r"'(?:[A-Za-z0-9]|\\[0-9a-f]{6})*'", literal)
    assert re.sub(r"\\([0-9a-f]{6})", lambda found: chr(int(found[1], 16)), literal[1:-1]) == fit(text)


@quick
@given(ANY, ANY)
def test_an_attribute_reads_back(text: str, other: str) -> None:
    """One start tag, one attribute, the text; and a script of data is one element that holds its value."""
    read = Reader(f"<p {attribute('data-x', text)}>")
    assert read.starts == [("p", [("data-x", fit(text))])]
    read = Reader(json_script([text], id=other))
    assert read.starts == [("script", [("id", fit(other)), ("type", "application/json")])]
    assert json.loads(read.text) == [re.sub("[\ud800-\udfff]", "\ufffd", text)]


@pytest.mark.parametrize(
    "name",
    [
        "onclick",
        "onerror",
        "on",
        "style",
        "srcdoc",
        "srcset",
        "imagesrcset",
        "ping",
        "content",
        "is",
        "nonce",
        "xmlns",
        "http-equiv",
        "xlink:href",
        "formAction",
        "HREF",
        "TITLE",
        "title ",
        "a b",
        "x=y",
        'x"',
        "",
        "data-",
        "data-A",
        "data-x>",
        "data--x",
        "aria-",
        "x",
        "background",
        "manifest",
        "classid",
        "data",
        "autofocus\n",
    ],
)
def test_an_attribute_that_is_not_plain_is_refused(name: str) -> None:
    """Handlers, styles, documents, lists of addresses, whatever is unknown, and what is no name."""
    with pytest.raises(UsageError, match="plain HTML attributes"):
        attribute(name, "x")


@pytest.mark.parametrize("name", ["href", "src", "action", "formaction", "cite", "poster"])
@pytest.mark.parametrize(
    "address",
    [
        "javascript:c4n4ry",
        "JaVaScRiPt:c4n4ry",
        "data:,c4n4ry",
        "vbscript:c4n4ry",
        "blob:c4n4ry",
        "file:///c4n4ry",
        " javascript:c4n4ry",
        "\tjavascript:c4n4ry",
        "java\nscript:c4n4ry",
        "\x01javascript:c4n4ry",
        "c4n4ry\\x",
        "\u00a0javascript:c4n4ry",
        "java\0script:c4n4ry",
        "java%73cript:c4n4ry",
        ":c4n4ry",
        "c4n4ry:x",
        "/c4n4ry x",
    ],
)
def test_an_address_that_does_something_is_refused(name: str, address: str) -> None:
    """In every attribute that holds one; the value is not repeated."""
    with pytest.raises(EncodeError) as caught:
        attribute(name, address)
    assert "c4n4ry" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/",
        "x",
        "#x",
        "?a=b:c",
        "/a:b",
        "x/y:z",
        "//host/x",
        "https://app.test/?x=1&y=2",
        "HTTP://app.test",
        "mailto:a@app.test",
        "tel:+4930123",
        "/größe",
        "https://app.test/<x>",
    ],
)
def test_an_address_that_leads_somewhere_stays(address: str) -> None:
    """Relative ones and those of links, as they are."""
    assert Reader(f"<a {attribute('href', address)}>").starts == [("a", [("href", address)])]


@quick
@given(
    st.lists(ANY.filter(lambda part: part not in {"", ".", ".."}), max_size=4),
    st.lists(st.tuples(ANY, ANY), max_size=3),
)
def test_an_address_is_built_of_its_parts(path: list[str], query: list[tuple[str, str]]) -> None:
    """Each part and each pair reads back; none adds a part, a pair, a fragment, or changes the host."""
    parts = urlsplit(url("https://app.test/api/", path=path, query=query))
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "app.test", "")
    assert [unquote(part) for part in parts.path.split("/")[2:]] == ([fit(part) for part in path] or [""])
    assert parse_qsl(parts.query, keep_blank_values=True) == [(fit(name), fit(value)) for name, value in query]


def test_an_address_has_what_it_is_given() -> None:
    """Bases with and without a path, numbers, repeated and absent values."""
    assert url("/") == "/"
    assert url("/", path=["media", 7, "a/b?c#d"]) == "/media/7/a%2Fb%3Fc%23d"
    assert url("https://app.test:8443", path=["x"]) == "https://app.test:8443/x"
    assert (
        url("http://[::1]/x", query={"a": None, "b": ["1", 2], "c": "ä &="})
        == "http://[::1]/x?b=1&b=2&c=%C3%A4%20%26%3D"
    )


@pytest.mark.parametrize(
    "base",
    [
        "",
        "x",
        "//evil.test",
        "https://",
        "https:///x",
        "javascript:x",
        "data:,x",
        "ftp://app.test/",
        "HTTPS://app.test",
        "https://user@app.test",
        "https://app.test?x=1",
        "/x#y",
        "https://app.test//x",
        "/\\evil.test",
        "/ x",
        "/\n",
        "https://app.test\n",
        "https://app.test:",
        "https://app.test/'",
    ],
)
def test_a_base_that_is_none_is_refused(base: str) -> None:
    """Another scheme, another host than it seems, a query or a fragment of its own."""
    with pytest.raises(UsageError):
        url(base, path=["x"])


@pytest.mark.parametrize("path", [[""], ["."], [".."], ["a", "..", "b"]])
def test_a_part_that_changes_the_path_is_refused(path: list[str]) -> None:
    """Browsers read %2e%2e like two dots, and an empty part at the beginning like the beginning of a host."""
    with pytest.raises(EncodeError):
        url("/", path=path)
    with pytest.raises(UsageError, match="list of parts"):
        url("/", path="media")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(st.lists(ANY | st.sampled_from(["x;=1", '";=1', '";"=1', 'a"\t=1', "\r\n=1", "x\r=1"]), min_size=1))
)
def test_lines_of_cells_hold_no_formula(separator: str, rows: list[list[str]]) -> None:
    """Whichever separator a program takes, no cell that it finds is one; with the comma it finds those of the rows."""
    lines = list(csv_lines(rows))
    assert all(line.endswith("\r\n") for line in lines)
    read = list(csv.reader(io.StringIO("".join(lines), newline=""), delimiter=separator))
    begins = {cell.lstrip(" \u00a0\u200b\u2060\u3000\ufeff")[:1] for row in read for cell in row}
    assert begins.isdisjoint("=+-@|\uff1d\uff0b\uff0d\uff20")
    if separator == ",":
        assert read == [[csv_cell(cell) for cell in row] for row in rows]


@quick
@given(ANY)
def test_a_cell_of_a_cell_is_the_same(text: str) -> None:
    """What is stored as a cell can be written as one."""
    assert csv_cell(csv_cell(text)) == csv_cell(text)


def test_lines_of_cells_keep_numbers() -> None:
    """Numbers stand as they are, everything else in quotes."""
    assert list(csv_lines([["a", 1, -2.5, None, True]])) == ['"a",1,-2.5,"","True"\r\n']


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


@quick
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
