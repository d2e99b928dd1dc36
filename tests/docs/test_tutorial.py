"""The tutorial, followed word by word."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.docs.tutorial_page import Block, Reader, agrees, blocks
from tests.docs.tutorial_ways import LOCAL, built, environment, free_port, from_wheel, ports, quick


@pytest.mark.timeout(400)
def test_the_tutorial_works_word_by_word(tmp_path: Path) -> None:
    """Given what is installed here, who does all that stands before the deployment sees what the pages show."""
    with quick(tmp_path) as reader:
        for block in blocks(LOCAL):
            reader.follow(block)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_tutorial_works_with_what_a_reader_installs(tmp_path: Path) -> None:
    """Given an empty venv and the wheel of this checkout, it is the same; the project's own checks are content."""
    instead = from_wheel(built(tmp_path / "wheel"))
    changed = ports(p8000=free_port())
    with Reader(tmp_path, environment(), instead, changed).reading() as reader:
        for block in blocks(LOCAL):
            reader.follow(block)
        for command in ("pytest -q", "mypy", "ruff check .", "ruff format --check --exclude migrations ."):
            reader.done(command)


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("one\ntwo\n", "one\ntwo\n", True),
        ("one\n", "one\ntwo\n", False),
        ("one\n…\nfour\n", "one\ntwo\nthree\nfour\n", True),
        ("one … three\n", "one two three\n", True),
        ("one … three\n", "one three\n", True),
        ("one … three\n", "onethree\n", False),
        ("took 0.12 s\n", "took 12.3 s\n", True),
        ("id 01a2206c-fbdd-795c-b24d-fac9b5ddb1bf\n", "id 01a2206c-0000-795c-b24d-fac9b5ddb1bf\n", True),
        ("3 posters\n", "4 posters\n", False),
        ("│ a   │\n┡━━━━━┩\n", "│ a │\n┡━━━┩\n", True),
    ],
)
def test_what_is_printed_is_compared(expected: str, printed: str, same: bool) -> None:
    """What stands on the page is what is printed; only what is another each time may be another."""
    assert agrees(expected, printed) is same


@pytest.mark.parametrize(
    ("language", "text", "why"),
    [
        ("console", "$ echo one\ntwo\n", "expected:\ntwo"),
        ("console", "$ false\n", "ended with 1"),
        ("console", "echo one\n", "no command"),
        ("console", "# In a second terminal\n$ echo one\ntwo\n", "expected:\ntwo"),
        ("diff", "@@ here.py @@\n-one = 2\n+one = 3\n", "0 times in here.py"),
        ("diff", "-one = 1\n+one = 2\n", "no path"),
        ("python", "one = 1\n", "nobody knows what to do"),
    ],
)
def test_a_page_that_is_not_true_is_found_out(language: str, text: str, why: str, tmp_path: Path) -> None:
    """Whatever a reader would stumble over fails, and says at which line of the page."""
    (tmp_path / "here.py").write_text("one = 1\n")
    with Reader(tmp_path, environment()).reading() as reader, pytest.raises(AssertionError, match=why) as found:
        reader.follow(Block(language, text, "page.md:7"))
    assert str(found.value).startswith("page.md:7: ")


def test_what_a_page_says_is_done(tmp_path: Path) -> None:
    """Files are written and changed where the first terminal is; another terminal runs on, and is interrupted."""
    said = [
        Block("console", "$ mkdir deep\n$ cd deep\n$ export WHO=me\n", "1"),
        Block("python", "# a/here.py\none = 1\n", "2"),
        Block("diff", "@@ a/here.py @@\n-one = 1\n+one = 2\n@@ a/here.py @@\n one = 2\n+two = 3\n", "3"),
        Block("console", "$ cat a/here.py && echo $WHO\n# a/here.py\none = 2\ntwo = 3\nme\n", "4"),
        Block("console", "# In a second terminal\n$ cd deep\n$ echo begun; sleep 60\nbegun\n", "5"),
        Block("console", "# In a second terminal\n$ echo again $PWD; sleep 60\nagain …/deep\n", "6"),
    ]
    began = time.monotonic()
    with Reader(tmp_path, environment()).reading() as reader:
        for block in said:
            reader.follow(block)
    assert time.monotonic() - began < 50
