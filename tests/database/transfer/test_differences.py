"""Both schemas side by side: what the page says, and that nothing in it runs or breaks out of its place."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from markdown_it import MarkdownIt

from postrmagic_core.database.transfer.interface import ROWID, ColumnPlan, Plan, TablePlan
from postrmagic_core.database.transfer.planfile.diagram import as_svg, layers, placed
from postrmagic_core.database.transfer.planfile.differences import as_markdown, behaviours
from postrmagic_core.database.transfer.planfile.differences_html import as_html
from tests.database.transfer.plans import DECIDE, PLAN, USERS, every

EVIL = "<img src=x onerror=alert(1)>|`*[x](y)\n# \x1b[31m\u202e\"'&"


def evil() -> Plan:
    """Hostile in each text that comes from a database."""
    column = ColumnPlan(EVIL, EVIL, "TEXT", default=EVIL, declared=EVIL, seen=EVIL, reason=EVIL)
    table = replace(USERS, name=EVIL, target=EVIL, key=(EVIL,), primary_key=(EVIL,), columns=(column,), sql=EVIL)
    finding = replace(DECIDE, table=EVIL, column=EVIL, text=EVIL, query=EVIL)
    stays = replace(PLAN.objects[0], name=EVIL, table=EVIL, sql=EVIL, suggestion=EVIL)
    return replace(PLAN, source=EVIL, tables=(table,), objects=(stays,), findings=(finding,))


def markdown(plan: Plan) -> str:
    """The page as a reader sees it, in HTML."""
    rendered: str = MarkdownIt("commonmark", {"html": True}).enable("table").render(as_markdown(plan))
    return rendered


def test_the_page_says_what_becomes_of_each_part() -> None:
    """Columns with their reasons, keys, constraints, what stays behind and what behaves otherwise."""
    text = as_markdown(PLAN)
    assert "| `id` | `INTEGER` | `BIGINT NOT NULL AUTO_INCREMENT` | 64 bits; seen: 3 integers |" in text
    assert "| `unique` | `ix_name` | `ix_name (name)` |  |" in text
    assert "| `foreign key` | `(user)` | `fk_posts_1 (user) to users (id) ON DELETE CASCADE` |" in text
    assert '| `check` | `length("name") > 0` |' in text
    assert "### Trigger `stamp` of `posts`" in text
    assert "AUTO_INCREMENT counts on" in text


def test_findings_come_with_their_rows_and_the_query_that_finds_them() -> None:
    """Those that stop the move first; a decision that was made is shown as made."""
    text = as_markdown(replace(PLAN, findings=(*PLAN.findings, replace(DECIDE, id="d2", accepted=True))))
    assert re.findall(r"\*\*(.*?)\*\*", text) == ["cannot move", "to decide", "decided", "differs"]
    assert "row `3`: `CAST(x'ff' AS TEXT)`" in text
    assert 'found by `SELECT id FROM "users" WHERE …`' in text


def test_what_behaves_otherwise_is_told_where_it_concerns() -> None:
    """One sentence for each kind of column that there is."""
    bare = replace(PLAN, tables=(TablePlan("t", "t", ("a",), ("a",), (ColumnPlan("a", "a", "BIGINT"),)),))
    assert len(list(behaviours(bare))) == 1
    columns = (
        ColumnPlan("a", ROWID, "BIGINT", hidden=True),
        ColumnPlan("b", "b", "TEXT", collation=PLAN.server.nocase),
        ColumnPlan("c", "c", "TEXT", collation="utf8mb4_bin", declared="JSON"),
        ColumnPlan("d", "d", "DATETIME", default="(UTC_TIMESTAMP())", grammar="%Y-%m-%d %H:%M:%S"),
        ColumnPlan("e", "e", "TINYINT(1)"),
    )
    all_kinds = replace(PLAN, tables=(replace(USERS, columns=(*USERS.columns, *columns)),))
    assert len(list(behaviours(all_kinds))) == 10


@pytest.mark.parametrize("page", [as_html(evil()), markdown(evil())], ids=["html", "markdown"])
def test_every_text_is_escaped(page: str) -> None:
    """Names, types, defaults, reasons, SQL, queries; in attributes too."""
    assert "<img" not in page
    assert '<a href="y"' not in page
    assert page.count("&lt;img") >= 12
    assert not [one for one in page if not one.isprintable() and one != "\n"]


def test_hostile_names_leave_tables_whole() -> None:
    """Each row has its four cells, whatever is in them."""
    rows = re.findall(r"<tr>(.*?)</tr>", markdown(evil()), re.DOTALL)
    assert {row.count("<td") + row.count("<th") for row in rows} == {2, 4}


class Tags(HTMLParser):
    """Whether each element that is opened is closed; of those that must be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Opened."""
        if tag not in {"meta", "li"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Closed, and it was the last one opened."""
        assert self.open.pop() == tag


@given(plan=every(Plan))
def test_any_plan_is_two_pages(plan: Plan) -> None:
    """Well formed, and without what runs."""
    tags = Tags()
    tags.feed(as_html(plan))
    assert tags.open == []
    assert as_markdown(plan).startswith("# From SQLite")


def test_who_is_referred_to_stands_to_the_left() -> None:
    """In the longest chain; circles are cut, tables without keys stand first, and all are drawn once."""
    parents = {"tags": ["media"], "media": ["users"], "users": [], "log": [], "a": ["b"], "b": ["a"], "self": ["self"]}
    columns = layers(parents)
    assert {"users", "log"} <= set(columns[0])
    assert sorted(name for column in columns for name in column) == sorted(parents)
    boxes = placed(columns)
    assert boxes["users"].x < boxes["media"].x < boxes["tags"].x
    assert boxes["a"].x != boxes["b"].x
    assert len(set(boxes.values())) == len(parents)


def test_a_chain_of_any_length_is_drawn() -> None:
    """Longer than Python would recurse."""
    parents = {f"t{number}": [f"t{number + 1}"] for number in range(1200)} | {"t1200": []}
    assert [len(column) for column in layers(parents)] == [1] * 1201


def test_the_drawing_has_a_box_for_each_table_and_a_line_for_each_key() -> None:
    """Of a table with itself as well."""
    own = replace(PLAN.tables[1].foreign_keys[0], target="fk_2", parent="posts")
    posts = replace(PLAN.tables[1], foreign_keys=(*PLAN.tables[1].foreign_keys, own))
    svg = as_svg(replace(PLAN, tables=(USERS, posts)))
    assert (svg.count("<rect"), svg.count("<path")) == (2, 2)
    assert "<title>posts to users</title>" in svg
