"""A plan as a file: exactly what was written is read, and nothing that was not meant."""

from __future__ import annotations

import stat
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.database.transfer.interface import Plan
from postrmagic_core.database.transfer.planfile import tomltext
from postrmagic_core.database.transfer.planfile.edits import blocking_first
from postrmagic_core.database.transfer.planfile.file import as_toml, from_toml, read_plan, write_plan
from postrmagic_core.errors import ConfigurationError, PlanRefused, UsageError
from tests.database.transfer.plans import ID, PLAN, USERS, every

ORDERED = replace(PLAN, findings=blocking_first(PLAN.findings))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of the plan, written."""
    path = tmp_path / "plan.toml"
    write_plan(PLAN, path)
    return path


def edited(path: Path, before: str, after: str) -> Path:
    """The file with ``before``, which is there, replaced."""
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    return path


def test_what_is_written_is_read(path: Path) -> None:
    """All of it, with the findings in the order in which to read them."""
    assert read_plan(path) == ORDERED
    assert [one.severity for one in read_plan(path).findings] == ["stop", "decide", "note"]


@given(plan=every(Plan))
def test_any_plan_comes_back(plan: Plan) -> None:
    """Names with line breaks, quotes, emoji and control characters; texts, numbers and lists of any kind."""
    assert from_toml(as_toml(plan), "plan") == replace(plan, findings=blocking_first(plan.findings))


@given(text=st.text())
def test_any_text_comes_back(text: str) -> None:
    """On one line and on several; and nothing in it is hidden from who reads the file."""
    one, several = tomltext.quoted(text), tomltext.lines(text)
    assert one.isprintable()
    assert all(line.isprintable() for line in several.split("\n"))
    assert tomllib.loads(f"{tomltext.key(text)} = {one}\n") == {text: text}
    assert tomllib.loads(f"b = {several}\n") == {"b": text}


def test_the_file_is_for_its_owner_alone(path: Path) -> None:
    """Also where another was there before; nothing else is left in the folder."""
    path.chmod(0o644)
    write_plan(PLAN, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_column_is_one_line_and_columns_stand_under_each_other(path: Path) -> None:
    """So that a person sees at once which type is unlike the others."""
    lines = [line for line in path.read_text().splitlines() if line.startswith("    { name =")]
    assert len({line.index("type =") for line in lines[:2]}) == 1
    assert 'name = "id",   target = "id",   type = "BIGINT",      nullable = false, auto_increment = true' in lines[0]


def test_findings_stand_before_the_tables_and_decisions_can_be_made(path: Path) -> None:
    """A stop first, with its query; only what is to be decided has a word for it."""
    text = path.read_text()
    assert text.index("[[findings]]") < text.index("[[tables]]")
    assert text.index('severity = "stop"') < text.index('severity = "decide"')
    assert text.count("\naccept = ") == 1
    assert [one.accepted for one in read_plan(edited(path, "accept = false", "accept = true")).findings] == [
        False,
        True,
        False,
    ]


def test_a_password_is_not_written(tmp_path: Path) -> None:
    """Refused rather than dropped: whoever calls should know where it goes."""
    with pytest.raises(UsageError, match="no password"):
        write_plan(replace(PLAN, target="mysql://app:secret@host/db"), tmp_path / "plan.toml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            "nullable = false",
            "nullable = 0",
            r"tables 'users': columns 'id': nullable: expected true or false, found a w",
        ),
        (
            "auto_increment = true",
            "autoincrement = true",
            r"columns 'id': there is no key 'autoincrement'; expected are",
        ),
        ('type = "BIGINT",      ', "", r"columns 'id': the key 'type' is missing"),
        ('severity = "stop"', 'severity = "halt"', r"findings 's1': severity: expected one of note, decide, stop"),
        ("accept = false", 'accept = "yes"', r"findings 'd1': accepted: expected true or false, found a text"),
        ('key = ["id"]', 'key = "id"', r"tables 'users': key: expected a list, found a text"),
        ("version = 1", "version = 2", r"expected version = 1, found 2"),
        ("[unedited]", "[other]", r"\[unedited\] is missing"),
        ("rows = 3", "rows = ", r"is not TOML: .*line \d+"),
        ("[server]\n", "[servers]\n", r"there is no key 'servers'"),
    ],
)
def test_what_is_no_plan_is_told_by_its_place(path: Path, before: str, after: str, told: str) -> None:
    """The table, the column, what was expected and what is there; or the line."""
    with pytest.raises(ConfigurationError, match=told):
        read_plan(edited(path, before, after))


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    """Neither is an error of Python's."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_plan(tmp_path / "plan.toml")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_plan(PLAN, tmp_path / "absent" / "plan.toml")
    (tmp_path / "plan.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        read_plan(tmp_path / "plan.toml")
    with pytest.raises(ConfigurationError, match="a name that is not UTF-8"):
        write_plan(replace(PLAN, source="\udcff"), tmp_path / "other.toml")


def test_an_edit_that_cannot_be_is_refused(path: Path) -> None:
    """When the file is read, before anything moves."""
    with pytest.raises(PlanRefused, match=r"table 'users': column 'name': FLOAT is no type"):
        read_plan(edited(path, 'type = "VARCHAR(80)"', 'type = "FLOAT"'))


def test_an_edit_that_can_be_is_taken(path: Path) -> None:
    """Another name and a wider type."""
    wide = replace(USERS.columns[1], type="VARCHAR(90)")
    found = read_plan(edited(path, "VARCHAR(80)", "VARCHAR(90)"))
    assert found == replace(ORDERED, tables=(replace(USERS, columns=(ID, wide)), PLAN.tables[1]))
