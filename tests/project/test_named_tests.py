"""Every test that explanation, reference and reports name is there: the tests of a tutorial are the reader's."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [page for part in ("explanation", "reference", "reports") for page in (ROOT / "docs" / part).rglob("*.md")]
_NAMED = re.compile(r"`(tests/[\w/.-]+?)(?:::([\w:]+))?(?:\[[^\]`]*\])?`")


def missing(text: str) -> list[str]:
    """The files, folders and functions named there that do not exist."""
    found = []
    for path, name in _NAMED.findall(text):
        file = ROOT / path
        function = name.rpartition("::")[2]
        if not file.exists() or (
            function and not re.search(rf"^ *(async )?(def|class) {function}\b", file.read_text(encoding="utf-8"), re.M)
        ):
            found.append(f"{path}::{name}" if name else path)
    return found


def test_tests_that_pages_name_exist() -> None:
    """Each file or folder, and each function in it."""
    texts = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
    assert sum(len(_NAMED.findall(text)) for text in texts.values()) > 100
    assert {page: names for page, text in texts.items() if (names := missing(text))} == {}


def test_one_that_is_missing_is_found() -> None:
    """A file, a function in a file that is there, and a class's method."""
    here = "tests/project/test_named_tests.py"
    assert missing(f"`{here}` `{here}::missing` `{here}::T::missing[a b]` `tests/project`") == []
    assert missing(f"`tests/absent.py` `{here}::absent`") == ["tests/absent.py", f"{here}::absent"]
