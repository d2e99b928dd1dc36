"""The walk from a table to its change in production, typed line by line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.consoles import Console
from tests.docs.playing import ROOT, Block, blocks

PAGE = ROOT / "docs" / "how-to" / "define-models-migrate-deploy.md"


def kept(block: Block, folder: Path) -> None:
    """Write a block into the file that its first line names: the whole of it, or its last lines."""
    first, _, text = block.text.partition("\n")
    named = re.fullmatch(r"# ([\w.]+)(, its last lines)?", first)
    assert named is not None, f"line {block.line} names no file"
    file = folder / named[1]
    if named[2] is not None:
        before = file.read_text(encoding="utf-8")
        text = before[: before.rindex(text.partition("\n")[0])] + text
    file.write_text(text, encoding="utf-8")


def typed(block: Block, console: Console) -> None:
    """Type a block's commands: each ends well, and prints what stands below it."""
    for command, shown in re.findall(r"^\$ (.+)\n((?:(?!\$ ).+\n)*)", block.text, re.MULTILINE):
        done = console.type(command)
        assert done.status == 0, (block.line, command, done)
        if shown:
            assert done.stdout.splitlines()[-1:] == shown.splitlines(), (block.line, command, done)


def walked(page: Path, folder: Path, console: Console, count: int | None = None) -> None:
    """The page's blocks in their order, or the first so many."""
    for block in blocks(page, "python", "toml", "console")[:count]:
        if block.language == "console":
            typed(block, console)
        else:
            kept(block, folder)


def test_the_page_works_as_far_as_the_first_tables(tmp_path: Path) -> None:
    """Its files as they stand: three commands make the tables, and Core and ORM write to them."""
    walked(PAGE, tmp_path, Console(tmp_path), count=4)
    (revision,) = (tmp_path / "migrations" / "versions").glob("*_posters_and_comments.py")
    assert "create_table('comments'" in revision.read_text(encoding="utf-8")


@pytest.mark.soak
def test_the_page_works_line_by_line(tmp_path: Path) -> None:
    """To the end: what may be empty is let through, what is taken away is not, and production does not start behind."""
    walked(PAGE, tmp_path, Console(tmp_path))
    assert len(list((tmp_path / "migrations" / "versions").glob("*.py"))) == 3


@pytest.mark.soak
@pytest.mark.mysql
def test_the_page_works_on_mariadb(tmp_path: Path, mariadb_url: str) -> None:
    """The same lines, where each statement commits by itself."""
    walked(PAGE, tmp_path, Console(tmp_path, POSTRMAGIC_DATABASE__URL=mariadb_url))
