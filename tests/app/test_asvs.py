"""What the reference application shows of the OWASP ASVS: who may do what as one matrix, its forms, its ways in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pytest

import media_library
from media_library.forms import Again, Confirmation, Login, PasswordChange, Reset, SecondStep, SignUp
from media_library.roles import USER
from media_library.seed import DEMO
from media_library.specification import SPECIFICATION
from tests.app.house import Browser, House
from tests.app.programs import Program

STATIC = Path(media_library.__file__ or "").parent / "static"

# Who asks. The object of a path with an id is demo's; what administrators look at is an account of nobody present.
NOBODY = "nobody"
SUSPENDED = "suspended"  # an account whose role was taken away
OWNER = "owner"
OTHER = "other"
ADMIN = "admin"
LIMITED = "limited"  # the owner's own token, for reading media alone
PROGRAM = "program"  # an OAuth access token of the owner's, for reading media alone
WHO = (NOBODY, SUSPENDED, OTHER, ADMIN, LIMITED, PROGRAM, OWNER)  # the owner last: who may delete does

YES, LOGIN, NO, ABSENT = "yes", "401", "403", "404"

Row: TypeAlias = dict[str, str]
# Operation by operation, who of these passes; ABSENT: it is as if there were no such thing.
EVERYBODY: Row = dict.fromkeys(WHO, YES)
OWN_READ: Row = {NOBODY: LOGIN, SUSPENDED: NO, OTHER: ABSENT, ADMIN: ABSENT, LIMITED: YES, PROGRAM: YES, OWNER: YES}
OWN_WRITE: Row = OWN_READ | {LIMITED: NO, PROGRAM: NO}
LIST: Row = OWN_READ | {OTHER: YES, ADMIN: YES}
ADD: Row = LIST | {LIMITED: NO, PROGRAM: NO}

IN_PERSON: Row = {NOBODY: LOGIN, SUSPENDED: YES, OTHER: YES, ADMIN: YES, LIMITED: NO, PROGRAM: NO, OWNER: YES}
IN_PERSON_OWN: Row = IN_PERSON | {SUSPENDED: ABSENT, OTHER: ABSENT, ADMIN: ABSENT}
ADMINS: Row = {NOBODY: LOGIN, SUSPENDED: NO, OTHER: NO, ADMIN: YES, LIMITED: NO, PROGRAM: NO, OWNER: NO}

MATRIX: dict[str, Row] = {
    "list_media": LIST,
    "add_medium": ADD,
    "show_medium": OWN_READ,
    "change_medium": OWN_WRITE,
    "delete_medium": OWN_WRITE,
    "change_media": ADD,
    "get_file": OWN_READ,
    "get_thumbnail": OWN_READ,
    "list_tags": LIST,
    "show_stats": LIST,
    "show_me": EVERYBODY | {NOBODY: LOGIN},
    "sign_up": EVERYBODY,
    "log_in": EVERYBODY,
    "log_in_with_code": EVERYBODY,
    "log_out": EVERYBODY,
    "reset_password": EVERYBODY,
    "change_password": IN_PERSON,
    "show_factor": IN_PERSON,
    "enrol_factor": IN_PERSON,
    "confirm_factor": IN_PERSON,
    "disable_factor": IN_PERSON,
    "renew_recovery_codes": IN_PERSON,
    "list_devices": IN_PERSON,
    "end_device": IN_PERSON_OWN,
    "end_other_devices": IN_PERSON,
    "list_notifications": IN_PERSON,
    "read_notifications": IN_PERSON,
    "list_tokens": IN_PERSON,
    "issue_token": IN_PERSON,
    "revoke_token": IN_PERSON_OWN,
    "preview_authorization": IN_PERSON,
    "decide_authorization": IN_PERSON,
    "list_authorizations": IN_PERSON,
    "revoke_authorization": IN_PERSON_OWN,
    "list_users": ADMINS,
    "show_roles": ADMINS,
    "grant_role": ADMINS,
    "revoke_role": ADMINS,
    "explain_permission": ADMINS,
    "list_audit": ADMINS,
}


class People(NamedTuple):
    """The site, what is the owner's in it, and how each of those who ask comes anew."""

    house: House
    come: dict[str, Callable[[], Browser]]


@pytest.fixture
def people(house: House) -> People:
    """Each of :data:`WHO`, and an account that administrators may look at."""
    application = house.application
    access, accounts = application.stack.security.access, application.accounts
    access.revoke(str(accounts.add(SUSPENDED, "!")), USER, actor=None)
    accounts.add("subject", "!")
    limited = application.stack.security.access_tokens.issue(
        str(house.user_id()), "script", permissions=["media:read:own"]
    )
    program = str(Program(house).connect()["access_token"])

    def bearing(token: str) -> Browser:
        browser = house.browser(None)
        browser.headers["Authorization"] = f"Bearer {token}"
        return browser

    come: dict[str, Callable[[], Browser]] = {
        NOBODY: lambda: house.browser(None),
        SUSPENDED: lambda: house.browser(SUSPENDED),
        OTHER: lambda: house.browser("guest"),
        ADMIN: lambda: house.browser("keeper"),
        LIMITED: lambda: bearing(limited.token),
        PROGRAM: lambda: bearing(program),
        OWNER: house.browser,
    }
    return People(house, come)


def address(house: House, operation: Any) -> str:
    """The path of an operation, with a new object of the owner's where it has an id."""
    path = f"{SPECIFICATION.base}{operation.path}"
    if "{id}" not in path:
        return path
    made: dict[str, Callable[[], object]] = {
        "/media/": lambda: house.browser().added()["id"],
        "/account/devices/": lambda: next(
            device["id"]
            for browser in [house.browser()]
            for device in browser.get("/api/v1/account/devices").json()["data"]
            if device["current"]
        ),
        "/tokens/": lambda: house.application.stack.security.access_tokens.issue(str(house.user_id()), "s").info.id,
        "/authorizations/": lambda: _grant(house),
        "/admin/users/": lambda: house.user_id("subject"),
    }
    (own,) = [make for part, make in made.items() if path.startswith(f"{SPECIFICATION.base}{part}")]
    return path.replace("{id}", str(own())).replace("{role}", USER)


def _grant(house: House) -> str:
    before = {grant.id for grant in house.application.stack.security.oauth.grants_of(str(house.user_id()))}
    Program(house).connect()
    (new,) = [
        grant.id
        for grant in house.application.stack.security.oauth.grants_of(str(house.user_id()))
        if grant.id not in before
    ]
    return new


def outcome(browser: Browser, method: str, path: str) -> str:
    """Whether it passed the guards, by the problem's code: what lies behind may still want a body or a factor."""
    # Of a body one is asked for first where there is none: this one fits where an object is changed.
    answer = browser.request(method, path, json={"title": "mine"} if method == "PATCH" else None)
    assert answer.status_code < 500, (method, path, answer.text)
    if answer.status_code == 401:
        # A login that is refused is one that was tried.
        return LOGIN if answer.json()["code"] == "authentication.required" else YES
    if answer.status_code == 403:
        return NO
    # A thumbnail that is not made yet is told so to its owner alone.
    return ABSENT if answer.status_code == 404 and answer.json()["code"] != "thumbnail.not_ready" else YES


@pytest.mark.parametrize("name", MATRIX)
def test_every_operation_answers_everybody_as_the_matrix_says(name: str, people: People) -> None:
    """Nobody, a suspended user, the owner, another user, an administrator, and two tokens that may only read."""
    (operation,) = [each for each in SPECIFICATION.operations if each.name == name]
    path = address(people.house, operation)
    found = {who: outcome(people.come[who](), operation.method, path) for who in WHO}
    assert found == MATRIX[name]


def test_no_operation_is_left_out_of_the_matrix() -> None:
    """A new one is denied to everybody in this table until somebody has thought about it."""
    assert sorted(MATRIX) == sorted(each.name for each in SPECIFICATION.operations)
    assert all(set(row) == set(WHO) for row in MATRIX.values())


# What people type in


class _Fields(HTMLParser):
    """The inputs and buttons of a page, each with the views it stands in."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[dict[str, str | None]] = []
        self.around: list[str] = []
        self.places: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input":
            self.inputs.append(found)
            return
        if tag in {"header", "main", "section", "form", "button"}:
            if found.get("id"):
                self.places[str(found["id"])] = list(self.around)
            self.around.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.around:
            self.around.remove(tag)


@pytest.fixture
def page() -> _Fields:
    """The application's one page."""
    fields = _Fields()
    fields.feed((STATIC / "index.html").read_text(encoding="utf-8"))
    return fields


def scripts() -> Iterator[str]:
    """Every script of the page."""
    for file in sorted(STATIC.glob("*.js")):
        yield file.read_text(encoding="utf-8")


def test_every_field_for_a_password_is_masked(page: _Fields) -> None:
    """Whatever its name, by what it tells a password manager (ASVS 6.2.6); and no script unmasks it."""
    told = [field for field in page.inputs if "password" in str(field.get("autocomplete"))]
    named = [field for field in page.inputs if "password" in str(field.get("name"))]
    assert len(told) > 5
    assert {field["type"] for field in [*told, *named]} == {"password"}
    assert [text for text in scripts() if '.type = "text"' in text or 'setAttribute("type"' in text] == []


def test_passwords_can_be_pasted_and_managed(page: _Fields) -> None:
    """Each field says which password it wants, takes long ones, and nothing stands in the way of pasting (6.2.7)."""
    for field in page.inputs:
        assert not {"onpaste", "oncopy", "oncut", "onbeforeinput", "readonly"} & set(field), field
        if field.get("type") == "password":
            assert field.get("autocomplete") in {"current-password", "new-password"}, field
            assert int(field.get("maxlength") or 1024) >= 1024, field
    for text in scripts():
        assert not any(f'"{event}"' in text for event in ("paste", "copy", "cut", "beforeinput"))


def test_the_way_out_stands_in_the_head_of_every_page(page: _Fields) -> None:
    """Beside the views, not within one of them (ASVS 7.4.4)."""
    assert page.places["logout"] == ["header"]


def test_no_form_asks_for_a_hint_or_a_secret_question() -> None:
    """What is asked of who comes in, forgot the password or changes it is all here (ASVS 6.4.2)."""
    asked = {
        form.__name__: set(form.model_fields) for form in (Login, SignUp, SecondStep, Reset, PasswordChange, Again)
    }
    assert asked == {
        "Login": {"name", "password"},
        "SignUp": {"name", "password"},
        "SecondStep": {"code", "recovery_code"},
        "Reset": {"token", "password"},
        "PasswordChange": {"current", "new"},
        "Again": {"password"},
    }
    assert set(Confirmation.model_fields) == {"code"}


def test_the_ways_in_are_those_that_are_told_of() -> None:
    """Whoever has no session gets one by these alone, and a token by the page or a program (ASVS 6.1.3, 6.3.4)."""
    public = {each.name for each in SPECIFICATION.operations if each.access == "public"}
    assert public == {"show_me", "sign_up", "log_in", "log_in_with_code", "log_out", "reset_password"}
    assert set(SPECIFICATION.security) == {"token", "session"}


def test_a_name_of_the_user_is_no_password(house: House) -> None:
    """The words of the context are those of the account (ASVS 6.1.2, 6.2.11)."""
    name = "lanternkeeper.of.harbour"
    answer = house.browser(None).post("/api/v1/signup", json={"name": name, "password": f"{name}1"})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/password"]


def test_a_reset_logs_nobody_in_and_ends_every_session(house: House) -> None:
    """With the new password everything is asked for again (ASVS 6.4.3, 7.4.3)."""
    before, fresh = house.browser(), house.browser(None)
    token = house.application.accounts.reset_token(DEMO["name"])
    sent = {"token": token, "password": "seven lanterns over still water"}
    assert fresh.post("/api/v1/password-reset", json=sent).status_code == 204
    assert [each.get("/api/v1/me").status_code for each in (before, fresh)] == [401, 401]
