"""`postrmagic flags`: what is on for whom, set and cleared, explained, and what was changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, make_url

from postrmagic_core.cli.flags import flags as command
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import ConfigurationError, SchemaMismatch
from postrmagic_core.flags.tables import flags as table
from postrmagic_core.settings import Settings
from tests.cli.in_process import InProcess
from tests.copies import packaged

APPLICATION = """
from functools import cached_property
from types import SimpleNamespace

from postrmagic_core.flags import Flags
from postrmagic_core.security.access import Access, AuditLog, Role, Roles
from postrmagic_core.stack import Stack

ROLES = Roles([Role("staff", allow=["media:read"])])
RULES = {"gallery": {"percent": 10, "roles": ["staff"], "note": "ask [Ada]"}}


class House(Stack):
    @cached_property
    def security(self):
        audit = AuditLog(self.database, clock=self.clock)
        return SimpleNamespace(audit=audit, access=Access(ROLES, self.database, audit=audit, clock=self.clock))

    @cached_property
    def flags(self):
        return Flags(self.database, audit=self.security.audit, rules=RULES)


stack = House.from_env()
"""


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """Without tables."""
    (tmp_path / "flags_application.py").write_text(APPLICATION)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    here = InProcess(command, "flags_application:stack")
    yield here
    here.forget()


@pytest.fixture
def house(bare: InProcess) -> InProcess:
    """With them."""
    place = make_url(Settings().database_url()).database
    assert place is not None
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    packaged(f"sqlite:///{place}")
    return bare


def test_flags_are_set_step_by_step(house: InProcess) -> None:
    """Given a flag of settings, when parts of it are set, then the other parts stay, and a clear goes back to them."""
    assert "on for 10 % of users, role staff" in house.run("list").stdout
    said = house.run("set", "gallery", "--percent", "25").stdout
    assert "gallery is now on for 25 % of users, role staff" in said
    assert "gallery was on for 25 %" in house.run("set", "gallery", "--percent", "25").stdout
    done = house.json("set", "gallery", "--user", "7", "--user", "8", "--off-for", "9", "--note", "step [two]")
    assert done["rule"] == {
        "percent": 25.0,
        "users": ["7", "8"],
        "roles": ["staff"],
        "off_for": ["9"],
        "note": "step [two]",
    }
    assert (done["changed"], done["source"], done["configured"]["percent"]) == (True, "database", 10.0)
    assert house.json("set", "gallery", "--role", "", "--user", "")["rule"].keys() == {"percent", "off_for", "note"}
    assert "step [two]" in house.run("list").stdout
    assert "gallery is cleared; settings count: on for 10 % of users" in house.run("clear", "gallery").stdout
    again = house.run("clear", "gallery")
    assert (again.exit_code, "nothing was set for gallery" in again.stderr) == (1, True)
    assert house.json("clear", "gallery", status=1) == {"name": "gallery", "changed": False}


def test_a_new_flag_is_said_to_be_new(house: InProcess) -> None:
    """Given a name that may be misspelt, when it is set, then that it is new is said; cleared, it is off."""
    assert "it is a new flag" in house.run("set", "galery", "--percent", "100").stdout
    assert "galery is now on for everybody" not in house.run("set", "galery", "--percent", "100").stdout
    assert "settings do not name it, so it is off" in house.run("clear", "galery").stdout


def test_show_tells_who_changed_what(house: InProcess) -> None:
    """Given changes, then they are told, the newest first, with both rules; what others wrote is no markup."""
    house.run("set", "gallery", "--percent", "20", *(f"--user={n}" for n in range(9)))
    house.run("set", "gallery", "--percent", "30", "--note", "[red]")
    shown = house.run("show", "gallery").stdout
    assert "users 0, 1, 2, 3, 4, 5, 6, 7, 8" in shown
    assert "users 0, 1, 2, 3, 4 and 4 more" in house.run("list").stdout
    assert "settings say: on for 10 % of users, role staff" in shown
    assert "note: [red]" in shown
    assert "as settings say" in shown
    found = house.json("show", "gallery")
    assert [change["action"] for change in found["changes"]] == ["flag.set", "flag.set"]
    assert found["changes"][0]["detail"]["old"]["percent"] == 20.0
    assert found["changes"][0]["actor"].startswith("cli")
    unknown = house.run("show", "absent")
    assert (unknown.exit_code, "there are gallery" in unknown.stderr) == (1, True)


def test_explain_says_why(house: InProcess) -> None:
    """Given a user, then their roles are looked up, or taken as said; the exit status is the decision."""
    off = house.run("explain", "gallery", "--user", "7")
    assert off.exit_code == 1
    assert "gallery is off for user 7: their bucket" in off.stdout
    assert "is not below 10 percent" in off.stdout
    on = house.run("explain", "gallery", "--user", "7", "--role", "staff")
    assert (on.exit_code, "a role of theirs is named" in on.stdout) == (0, True)
    assert "who is not logged in" in house.run("explain", "gallery").stdout
    told = house.json("explain", "gallery", "--user", "7", status=1)
    assert (told["reason"], told["source"], told["on"]) == ("beyond", "settings", False)
    assert house.json("explain", "absent", "--user", "7", status=1)["reason"] == "unknown"
    assert "\x1b" not in house.run("explain", "\x1b[2J", "--user", "\x1b[2J").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["set", "gallery", "--percent", "101"], "0 to 100"),
        (["set", "gallery", "--percent", "nan"], "0 to 100"),
        (["set", "gallery", "--percent", "1e999"], "0 to 100"),
        (["set", "gallery", "--percent=-1"], "0 to 100"),
        (["set", "gallery", "--percent", "0.001"], "two decimals"),
        (["set", "Gallery", "--percent", "1"], "flag's name"),
        (["set", "gallery"], "say what is to change"),
        (["set", "gallery", "--user", "7", "--off-for", "7"], "named in users and in off_for"),
        (["set", "gallery", "--user", "x" * 191], "191 bytes"),
        (["clear", "x" * 65], "flag's name"),
        (["explain", "gallery", "--user", "x" * 191], "190 bytes"),
        (["explain", "gallery", "--role", "staff"], "say --user"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_done_is_said(house: InProcess, arguments: list[str], says: str) -> None:
    """Given what is no rule, no name and no user, then it is refused in a sentence, and nothing is set."""
    done = house.run(*arguments)
    assert (done.exit_code, says in done.stderr) == (1, True), done.output
    assert [flag["source"] for flag in house.json("list")] == ["settings"]


def test_a_row_that_cannot_be_read_is_shown(house: InProcess) -> None:
    """Given a row of another release, then the list says so, and setting it again mends it."""
    with DatabaseManager(Settings().database_url()) as database, database.write() as tx:
        tx.execute(insert(table).values(name="gallery", rule=b'{"until": 1}', changed_us=1, changed_by="\x1b[2J"))
    listed = house.run("list").stdout
    assert "its row cannot be read" in listed
    assert "\x1b" not in listed
    assert "a rule has no 'until'" in house.run("show", "gallery").stdout
    assert house.run("set", "gallery", "--percent", "1").exit_code == 0
    assert house.json("list")[0]["fault"] == ""


def test_without_tables_it_says_what_to_run(bare: InProcess) -> None:
    """Given a database without tables, then the error names the command that makes them."""
    assert isinstance(bare.run("list").exception, SchemaMismatch)


def test_settings_that_are_no_rules_are_named(house: InProcess) -> None:
    """Given a percentage that is a text, then the error names the setting and the flag."""
    Path("flags_application.py").write_text(APPLICATION.replace('"percent": 10', '"percent": "10"'))
    error = house.run("list").exception
    assert isinstance(error, ConfigurationError)
    assert "POSTRMAGIC_FLAGS__RULES" in str(error)
    assert "'gallery'" in str(error)
