"""`postrmagic roles`: what is declared, who has it, why somebody may or may not, and what was denied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from postrmagic_core.cli.roles import roles as command
from postrmagic_core.errors import SchemaMismatch, UsageError
from postrmagic_core.security.access import LastHolder
from postrmagic_core.settings import Settings
from tests.cli.in_process import InProcess
from tests.copies import packaged

APPLICATION = """
from functools import cached_property
from types import SimpleNamespace

from postrmagic_core.security.access import Access, AuditLog, Role, Roles
from postrmagic_core.stack import Stack

ROLES = Roles([
    Role("viewer", allow=["media:read"], about="may look [at it]"),
    Role("editor", ["viewer"], ["media:edit", "media:*:own"], ["media:delete"]),
    Role("admin", allow=["*:*"], keep_one=True),
])


class House(Stack):
    @cached_property
    def security(self):
        audit = AuditLog(self.database, clock=self.clock)
        return SimpleNamespace(audit=audit, access=Access(ROLES, self.database, audit=audit, clock=self.clock))


stack = House.from_env()
"""


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """Without tables."""
    (tmp_path / "roles_application.py").write_text(APPLICATION)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    here = InProcess(command, "roles_application:stack")
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


def test_list_and_show_tell_what_is_declared(house: InProcess) -> None:
    """With what is inherited beneath, and who has it; whatever an application wrote is no markup."""
    shown = house.run("list").stdout
    assert "may look [at it]" in shown
    assert "admin (always held)" in shown
    assert [role["name"] for role in house.json("list")] == ["viewer", "editor", "admin"]
    house.run("grant", "7", "editor")
    shown = house.run("show", "editor").stdout
    assert shown.index("deny media:delete") < shown.index("viewer") < shown.index("allow media:read")
    assert "held by 7" in shown
    assert "held by nobody" in house.run("show", "viewer").stdout
    assert house.json("show", "editor")["users"] == ["7"]
    unknown = house.run("show", "chief")
    assert unknown.exit_code == 1
    assert "declared are viewer, editor, admin" in unknown.stderr


def test_roles_are_granted_and_revoked(house: InProcess) -> None:
    """And it is said where nothing changed."""
    assert "user 7 now has the role editor" in house.run("grant", "7", "editor").stdout
    assert "user 7 had the role editor" in house.run("grant", "7", "editor").stdout
    assert house.json("of", "7") == ["editor"]
    assert "editor" in house.run("of", "7").stdout
    assert "no longer has" in house.run("revoke", "7", "editor").stdout
    again = house.run("revoke", "7", "editor")
    assert (again.exit_code, "did not have" in again.stderr) == (1, True)
    assert "user 7 has no role" in house.run("of", "7").stdout
    granted = {"user": "7", "role": "editor", "changed": True}
    assert house.json("grant", "7", "editor") == granted
    assert house.json("grant", "7", "editor") == granted | {"changed": False}
    assert house.json("revoke", "7", "editor") == granted
    assert house.json("revoke", "7", "editor", status=1) == granted | {"changed": False}


def test_what_cannot_be_done_is_an_error(house: InProcess) -> None:
    """A role that is not declared; the last holder's."""
    assert isinstance(house.run("grant", "7", "chief").exception, UsageError)
    house.run("grant", "7", "admin")
    assert isinstance(house.run("revoke", "7", "admin").exception, LastHolder)


def test_explain_draws_the_decision(house: InProcess) -> None:
    """Its exit status is the decision, for scripts."""
    house.run("grant", "7", "editor")
    denied = house.run("explain", "7", "media:delete")
    assert denied.exit_code == 1
    assert "user 7 may not media:delete: denied by role editor (deny media:delete)" in denied.stdout
    allowed = house.run("explain", "7", "media:read")
    assert allowed.exit_code == 0
    assert "which editor inherits" in allowed.stdout
    assert house.json("explain", "7", "media:read")["allowed"] is True
    assert house.json("explain", "8", "media:read", status=1)["deciding"] == "no role and no policy allows it"


def test_audit_shows_what_was_changed(house: InProcess) -> None:
    """By whom, filtered as asked; control characters of a name are not."""
    house.run("grant", "7\x1b[2J", "editor")
    house.run("grant", "8", "viewer")
    house.run("revoke", "8", "viewer")
    found = house.json("audit")
    assert [(row["action"], row["subject"]) for row in found][:2] == [("role.revoked", "8"), ("role.granted", "8")]
    assert found[0]["actor"].startswith("cli")
    assert found[0]["recorded_at"] >= found[1]["recorded_at"]
    assert "\x1b" not in house.run("audit").stdout
    assert "role=editor" in house.run("audit").stdout
    assert len(house.json("audit", "--subject", "8")) == 2
    assert len(house.json("audit", "--subject", "8", "--action", "role.revoked")) == 1
    assert house.json("audit", "--since", "0s") == []
    assert "nothing like that" in house.run("audit", "--actor", "nobody").stdout
    assert len(house.json("audit", "--since", "1h", "--limit", "1")) == 1


def test_without_tables_it_says_what_to_run(bare: InProcess) -> None:
    """And what needs none works."""
    assert isinstance(bare.run("of", "7").exception, SchemaMismatch)
    assert bare.run("list").exit_code == 0
