"""What the how-tos about the API show runs as it is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.programs import Ran, blocks, run

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
# A class is declared there and not served: that it may be is looked at here.
DECLARED = """
from postrmagic_core.api.declaring import operations_of

print(*(each.name for each in operations_of(Products)))
db.close()
"""
BEHIND = r"print\(.*\)  # (.*)$"
BENEATH = r"^ +# (.*)$"
PAGES = {
    "avoid-lost-edits": (BEHIND, DECLARED, ["show_product change_product"]),
    "change-many-at-once": (BEHIND, "", []),
    "page-through-a-list": (BENEATH, "", []),
}
"""Each page with where it says what is printed, and what is looked at besides."""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """The lines of each page, as one program in an empty folder."""
    programs = []
    for page, (_, more, _) in PAGES.items():
        shown = "\n".join(blocks(HOW_TO / f"{page}.md"))
        programs.append((tmp_path_factory.mktemp(page), f"{shown}\n{more}"))
    loaded = ["postrmagic_core.api", "postrmagic_core.api.listing", "postrmagic_core.database"]
    return dict(zip(PAGES, run(programs, loaded), strict=True))


@pytest.mark.parametrize("page", PAGES)
def test_its_lines_run_and_print_what_they_say(page: str, ran: dict[str, Ran]) -> None:
    """Copied into a file."""
    said, _, more = PAGES[page]
    shown = "\n".join(blocks(HOW_TO / f"{page}.md"))
    assert ran[page].lines == [*re.findall(said, shown, re.MULTILINE), *more]
