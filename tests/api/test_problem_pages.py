"""The pages behind the types of problems: readable, escaped, and under the strictest policy."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from postrmagic_core.api.page_style import STYLE
from postrmagic_core.api.problem_pages import list_page, type_page
from postrmagic_core.api.problems import PACKAGE, Problems, ProblemType

BASE, SHEET = "/problems/", "/api/v1/docs.css"
HOSTILE = ProblemType(
    "media.bad",
    400,
    "<script>alert('x')</script> & {title}",
    "\"></p><img src=x onerror='alert(1)'> {0} %s &lt; \u00e9",
)


class Read(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "wbr"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Elements end as they begin."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data

    def count(self, tag: str) -> int:
        """How many there are of an element."""
        return sum(name == tag for name, _ in self.elements)


def pages(kind: ProblemType) -> list[Read]:
    """Its own page, and the list of all."""
    types = Problems([kind] if kind not in PACKAGE else []).types
    return [
        Read(type_page(kind, base=BASE, stylesheet=SHEET)),
        Read(list_page(types, base=BASE, stylesheet=SHEET)),
    ]


def test_a_page_says_what_a_type_means() -> None:
    """Title, code, status, description and the document as a client meets it."""
    kind = Problems()["data.invalid"]
    page = Read(type_page(kind, base=BASE, stylesheet=SHEET))
    for text in (kind.title, kind.code, "422", kind.description, '"type": "/problems/data.invalid"'):
        assert text in page.text
    assert (page.count("h1"), page.count("main"), page.count("title")) == (1, 1, 1)
    assert ("a", {"href": "/problems/"}) in page.elements


def test_the_list_links_every_type() -> None:
    """One row for each, in order."""
    types = Problems().types
    page = Read(list_page(types, base=BASE, stylesheet=SHEET))
    links = [told["href"] for name, told in page.elements if name == "a"]
    assert links == [f"/problems/{kind.code}" for kind in types]
    assert all(kind.title in page.text for kind in types)


@pytest.mark.parametrize("kind", [*PACKAGE[:3], HOSTILE], ids=lambda kind: kind.code)
def test_a_page_stands_under_a_strict_policy(kind: ProblemType) -> None:
    """No script, no style and no handler in it; the one resource is the style sheet."""
    for page in pages(kind):
        names = {name for name, _ in page.elements}
        attributes = {attribute for _, told in page.elements for attribute in told}
        assert not names & {"script", "style", "img", "iframe", "object", "form", "base"}
        assert not {attribute for attribute in attributes if attribute == "style" or attribute.startswith("on")}
        assert [told for name, told in page.elements if name == "link"] == [{"rel": "stylesheet", "href": SHEET}]
        assert page.elements[0] == ("html", {"lang": "en"})
        assert page.open == []


def test_what_is_declared_is_shown_as_it_is() -> None:
    """Markup and placeholders in an application's texts are text."""
    own, listed = pages(HOSTILE)
    assert HOSTILE.title in own.text
    assert HOSTILE.description in own.text
    assert HOSTILE.title in listed.text
    assert own.count("p") == 2


def test_where_the_style_is_served_is_escaped_too() -> None:
    """An application may serve it anywhere."""
    page = Read(type_page(HOSTILE, base=BASE, stylesheet='/a"><script>x</script>?a=1&b=2'))
    assert page.count("script") == 0
    assert ("link", {"rel": "stylesheet", "href": '/a"><script>x</script>?a=1&b=2'}) in page.elements


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(scheme: str) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1 on either ground, by day and by night."""
    rooted = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    assert len(rooted) == 2
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", rooted[["light", "dark"].index(scheme)]))
    for ground in ("paper", "card"):
        for ink in ("ink", "soft", "accent", "danger"):
            lighter, darker = sorted([luminance(colours[ground]), luminance(colours[ink])], reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (ground, ink)


def test_the_style_asks_for_nothing_and_keeps_the_focus_visible() -> None:
    """It is one text, for phones too."""
    assert STYLE.isascii()
    assert STYLE.count("{") == STYLE.count("}")
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert ":focus-visible { outline:" in STYLE
