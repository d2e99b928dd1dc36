"""Each problem of a form stands beside its input, and every other in the summary."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from runpy import run_path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import Input, Validator
from postrmagic_core.validation.form_errors import errors_by_input

GUIDE = Path(__file__).parents[2] / "docs/how-to/speak-the-users-language.md"


def failed(*pointers: str) -> ValidationFailed:
    """An error whose messages are their pointers."""
    return ValidationFailed(
        [{"pointer": pointer, "code": "x.y", "message": pointer or "whole"} for pointer in pointers]
    )


@pytest.mark.parametrize(
    ("pointer", "inputs", "name"),
    [
        ("/title", ["title"], "title"),
        ("/tags/2", ["tags"], "tags"),
        ("/tags/2", ["tags", "tags[2]"], "tags[2]"),
        ("/rows/0/name", ["rows[0].name", "rows[0]", "rows"], "rows[0].name"),
        ("/rows/0/name", ["rows[1].name", "rows[0]", "rows"], "rows[0]"),
        ("/rows/0/name", ["rows"], "rows"),
        ("/address/city", ["address.city"], "address.city"),
        ("/address/city", ["city"], ""),
        ("/a~1b~0c", ["a/b~c"], "a/b~c"),
        ("/a~01", ["a~1"], "a~1"),
        ("/extra", ["title"], ""),
        ("", ["title"], ""),
    ],
)
def test_a_problem_goes_to_the_narrowest_input_there_is(pointer: str, inputs: list[str], name: str) -> None:
    """To the one of its own name, else to that of what it is in, else into the summary."""
    assert errors_by_input(failed(pointer), inputs) == {name: [pointer or "whole"]}


def test_inputs_come_in_the_order_of_the_page_and_the_rest_last() -> None:
    """As the summary lists them; an input without a problem is left out, the same words come once."""
    told = errors_by_input(failed("/no", "", "/b", "/a/0", "/a/1", "/b"), ["a", "b", "c"])
    assert told == {"a": ["/a/0", "/a/1"], "b": ["/b"], "": ["/no", "whole"]}
    assert list(told) == ["a", "b", ""]


class Poster(Input):
    """A form with a list and a number."""

    title: str
    copies: int = 1
    sizes: list[int] = Field(default_factory=list)


def test_a_form_s_problems_find_their_inputs() -> None:
    """From the pairs a browser sends to the messages beside the inputs; a name nobody asked for is not repeated."""
    with pytest.raises(ValidationFailed) as caught:
        Validator(Poster).validate_form([("copies", "x"), ("sizes", "1"), ("sizes", "y"), ("<script>", "1")])
    assert errors_by_input(caught.value, list(Poster.model_fields)) == {
        "title": ["is required"],
        "copies": ["must be a whole number"],
        "sizes": ["must be a whole number"],
        "": ["is not a known field"],
    }


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text("ab/~01[].", max_size=6), max_size=5), st.lists(st.text("ab01[].", max_size=4), max_size=4))
def test_no_message_is_lost_and_no_name_is_invented(steps: list[str], inputs: list[str]) -> None:
    """Whatever the pointer, its message stands under one of the page's inputs, or under the whole."""
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    told = errors_by_input(failed(pointer), inputs)
    assert set(told) <= {*inputs, ""}
    assert [message for messages in told.values() for message in messages] == [pointer or "whole"]


def test_many_problems_take_linear_time() -> None:
    """Ten thousand rows that are all wrong are gathered in one pass."""

    def gather(size: int) -> None:
        errors_by_input(failed(*(f"/rows/{number}/name" for number in range(size))), [])

    def gather_alike(size: int) -> None:
        error = failed()
        error.errors = [{"pointer": f"/rows/{number}", "code": "x.y", "message": "no"} for number in range(size)]
        errors_by_input(error, ["rows"])

    assert growth(gather_alike, 2_000) < 3
    assert growth(gather, 1_000) < 3


class _Page(HTMLParser):
    """The elements of a page by id, and what refers to them."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: dict[str, str] = {}
        self.described: dict[str, str] = {}
        self.links: list[str] = []
        self.roles: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what matters to whoever cannot see the page."""
        known = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if "id" in known:
            self.ids[known["id"]] = tag
        if tag == "input" and known.get("aria-invalid") == "true":
            self.described[known["name"]] = known["aria-describedby"]
        if tag == "a":
            self.links.append(known["href"])
        self.roles += [known["role"]] if "role" in known else []


def test_the_form_of_the_guide_can_be_heard(tmp_path: Path) -> None:
    """Its summary is announced and links to each input; each wrong input names its message; nothing sent is markup."""
    (block,) = re.findall(r"^```python\n(# form\.py\n.*?)^```", GUIDE.read_text(encoding="utf-8"), re.M | re.DOTALL)
    (tmp_path / "form.py").write_text(block, encoding="utf-8")
    scope = run_path(str(tmp_path / "form.py"))
    sent = [("title", '"><script>alert(1)</script>'), ("copies", "many"), ("copies", "2"), ("<b>", "1")]
    page = _Page()
    page.feed(scope["form"]([], None))
    assert (page.roles, page.described, page.links) == ([], {}, [])
    with pytest.raises(ValidationFailed) as caught:
        scope["NEW_POSTER"].validate_form(sent, locale="de")
    page = _Page()
    page.feed(scope["form"](sent, caught.value))
    assert page.roles == ["alert"]
    assert page.described == {"copies": "copies-error"}
    assert {"copies-error"} <= page.ids.keys()
    assert page.links == ["#copies"]
    assert page.ids["copies"] == "input"
    assert not {"script", "b"} & set(page.tags)
