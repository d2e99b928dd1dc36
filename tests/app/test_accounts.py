"""Accounts of the media library over HTTP: signing up, both steps of a login, passwords, factors, devices, attacks."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyotp.totp import TOTP
from sqlalchemy import insert, inspect, select, text, update
from typer.testing import CliRunner

from media_library.__main__ import app as command
from media_library.accounts import Accounts
from media_library.application import assemble
from media_library.seed import DEMO, KEEPER, prepare
from media_library.specification import SPECIFICATION
from media_library.tables import inserted_id, users
from postrmagic_core.database import DatabaseManager, Migrations
from postrmagic_core.database.migrating.migrator import Migrator
from postrmagic_core.errors import Overloaded
from postrmagic_core.security.passwords import Passwords
from postrmagic_core.security.passwords import manager as passwords
from postrmagic_core.security.passwords.hashing import Hashing
from postrmagic_core.security.tables import login_tokens, user_roles
from postrmagic_core.stack import Stack
from postrmagic_core.testing.capture import embedded_settings
from postrmagic_core.testing.clock import FakeClock
from tests.app.house import Browser, House, open_house, row_counts
from tests.app.test_api import DEMO_LOGIN, problem
from tests.app.test_jobs import settle

PASSWORD = DEMO["password"]
NEW = "seven lanterns over water"
ACCOUNT = "/api/v1/account"


@pytest.fixture
def clock() -> FakeClock:
    """Stands where the test says."""
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def timed(tmp_path: Path, furnished: Path, clock: FakeClock) -> Iterator[House]:
    """The site by that clock; an id that was replaced is good no more."""
    shutil.copy(furnished, tmp_path)
    settings = embedded_settings(tmp_path)
    settings = settings.replace(sessions={**settings.sessions.model_dump(), "rotation_grace": 0})
    with open_house(settings, clock) as opened:
        yield opened


class Telephone:
    """An authenticator app."""

    def __init__(self, secret: str, clock: FakeClock) -> None:
        self._app = TOTP(secret.replace(" ", ""))
        self._clock = clock

    def code(self) -> str:
        """The code of now."""
        return self._app.at(int(self._clock.now.timestamp()))

    def next_code(self) -> str:
        """The code of the next half minute."""
        self._clock.advance(30)
        return self.code()


def enrolled(browser: Browser, clock: FakeClock) -> tuple[Telephone, list[str]]:
    """Set up a second factor for whoever is logged in."""
    begun = browser.post(f"{ACCOUNT}/factor", json={"password": PASSWORD})
    assert begun.status_code == 201, begun.text
    telephone = Telephone(begun.json()["data"]["secret"], clock)
    confirmed = browser.post(f"{ACCOUNT}/factor/confirm", json={"code": telephone.code()})
    assert confirmed.status_code == 200, confirmed.text
    return telephone, confirmed.json()["data"]["recovery_codes"]


def first_step(browser: Browser, name: str = "demo") -> None:
    """The password, where a code must follow."""
    answer = browser.post("/api/v1/login", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 202
    assert answer.json()["data"] == {"second_factor": "required", "expires_in": 300.0}


def second_step(browser: Browser, **given: str) -> httpx.Response:
    """The code."""
    return browser.post("/api/v1/login/second-factor", json=given)


def is_in(browser: Browser) -> bool:
    """Whether somebody is logged in."""
    return browser.get("/api/v1/me").status_code == 200


def nameless(answer: httpx.Response) -> tuple[int, dict[str, Any]]:
    """What an answer tells, its own id left out."""
    return answer.status_code, {**answer.json(), "request_id": None}


# Signing up


def test_a_new_account_is_logged_in_and_a_user(house: House) -> None:
    """With a library of its own, a session, a known device and nothing more."""
    visitor = house.browser(None)
    answer = visitor.post("/api/v1/signup", json={"name": "ann", "password": NEW})
    assert answer.status_code == 201
    who = answer.json()["data"]
    assert (who["name"], who["roles"], who["admin"]) == ("ann", ["user"], False)
    assert visitor.get("/api/v1/me").json()["data"] == who
    assert visitor.get("/api/v1/media").json()["data"] == []
    assert house.browser(None).post("/api/v1/login", json={"name": "ann", "password": NEW}).status_code == 200


@pytest.mark.parametrize(
    ("name", "password", "pointer", "code"),
    [
        ("demo", NEW, "/name", "unique.taken"),
        ("a", NEW, "/name", "string_too_short"),
        ("a" * 33, NEW, "/name", "string_too_long"),
        ("Ann", NEW, "/name", "name.characters"),
        ("ann<b>", NEW, "/name", "name.characters"),
        ("ann\n", NEW, "/name", "name.characters"),
        ("аnn", NEW, "/name", "name.characters"),  # noqa: RUF001 - a Cyrillic letter that looks like an a
        ("ann", "tiny one", "/password", "password.too_short"),
        ("ann", "passwordpassword", "/password", "password.common"),
        ("postrmagician", "postrmagician-postrmagic", "/password", "password.context"),
        ("ann", "x" * 1025, "/password", "string_too_long"),
    ],
)
def test_what_is_wrong_with_a_new_account_is_told_at_its_field(
    house: House, name: str, password: str, pointer: str, code: str
) -> None:
    """And nothing of it is kept."""
    before = house.left
    answer = house.browser(None).post("/api/v1/signup", json={"name": name, "password": password})
    found = problem(answer, 422, "data.invalid")["errors"]
    assert (found[0]["pointer"], found[0]["code"]) == (pointer, code)
    assert password not in answer.text
    assert house.left == before


def test_of_two_who_sign_up_with_one_name_one_gets_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both pass the form's check before either is kept; the other is told at the field, as if it came later."""
    both, create = threading.Barrier(2, timeout=20), Accounts.create

    def together(self: Accounts, name: str, password: str, **given: Any) -> int:
        both.wait()
        return create(self, name, password, **given)

    monkeypatch.setattr(Accounts, "create", together)
    with ThreadPoolExecutor(2) as pool:
        asked = {"name": "ann", "password": NEW}
        visitors = [house.browser(None) for _ in range(2)]
        answers = [pool.submit(visitor.post, "/api/v1/signup", json=asked) for visitor in visitors]
        won, lost = sorted((answer.result(60) for answer in answers), key=lambda answer: answer.status_code)
    assert won.status_code == 201
    told = {"pointer": "/name", "code": "unique.taken", "message": "is taken already"}
    assert problem(lost, 422, "data.invalid")["errors"] == [told]


def test_an_account_says_nothing_of_its_rights(house: House) -> None:
    """Roles are no field of the form: nobody signs up as an administrator."""
    for extra in ({"roles": ["admin"]}, {"is_admin": True}, {"quota_bytes": 10**12}):
        answer = house.browser(None).post("/api/v1/signup", json={"name": "ann", "password": NEW, **extra})
        problem(answer, 422, "data.invalid")


def test_of_two_at_once_one_gets_the_name(house: House) -> None:
    """The other is told that it is taken."""
    browsers = [house.browser(None) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(lambda each: each.post("/api/v1/signup", json={"name": "ann", "password": NEW}), browsers)
        )
    assert sorted(answer.status_code for answer in answers) == [201, 422]
    assert sum(map(is_in, browsers)) == 1


def test_a_new_installation_has_no_account(tmp_path: Path) -> None:
    """Tables and roles only; what `prepare` makes on purpose has no more rights than a user, unless asked for."""
    application = assemble(Stack(embedded_settings(tmp_path), configure_logging=False))
    with application.stack:
        assert (row_counts(application)["users"], row_counts(application)["pm_user_roles"]) == (0, 0)
    prepare(assemble(Stack(embedded_settings(tmp_path), configure_logging=False)), guest=False)
    application = assemble(Stack(embedded_settings(tmp_path), configure_logging=False))
    with application.stack:
        assert application.accounts.by_name(KEEPER["name"]) is None
        assert application.accounts.by_name(DEMO["name"]) is not None
        assert application.stack.security.access.users_with("admin") == []


# The first step


def test_a_planted_session_does_not_become_the_user_s(house: House) -> None:
    """Who made the victim's browser use a session that they know has nothing after the login."""
    sessions = house.application.stack.sessions
    planted = sessions.load(None)
    planted.data["planted"] = True
    cookie = sessions.save(planted)
    victim, thief = house.browser(None), house.browser(None)
    victim.session = thief.session = cookie or ""
    assert victim.post("/api/v1/login", json=DEMO_LOGIN).status_code == 200
    assert victim.session != cookie
    assert is_in(victim)
    assert not is_in(thief)


def test_nothing_tells_which_names_exist(timed: House, clock: FakeClock) -> None:
    """An unknown name, a wrong password, and that of an account with a second factor are answered alike."""
    enrolled(timed.browser("guest"), clock)
    answers = [
        timed.browser(None).post("/api/v1/login", json={"name": name, "password": "wrong"})
        for name in ("nobody", "demo", "guest")
    ]
    assert len({str(nameless(answer)) for answer in answers}) == 1
    assert nameless(answers[0])[0] == 401
    assert all("set-cookie" not in answer.headers for answer in answers)


def test_guessing_is_delayed_for_unknown_names_too(house: House) -> None:
    """429 with a time to wait, whether there is such an account or not."""
    told = []
    for name in ("demo", "nobody"):
        guesser = house.browser(None, address="203.0.113.7" if name == "demo" else "203.0.113.8")
        answers = [
            guesser.post("/api/v1/login", json={"name": name, "password": f"guess {number}"}) for number in range(11)
        ]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429]
        assert int(answers[-1].headers["retry-after"]) > 0
        # The right one is not looked at either.
        assert guesser.post("/api/v1/login", json={"name": name, "password": PASSWORD}).status_code == 429
        told.append(nameless(answers[-1]))
    assert told[0] == told[1]


def test_whoever_was_here_before_gets_in_while_others_guess(house: House) -> None:
    """From a network that is known, and with a device that is known in the very network of the guesses."""
    home, office = "198.51.100.1", "203.0.113.7"
    assert house.browser(None, address=home).post("/api/v1/login", json=DEMO_LOGIN).status_code == 200
    colleague = house.browser(None, address=office)
    assert colleague.post("/api/v1/login", json=DEMO_LOGIN).status_code == 200
    guesser = house.browser(None, address=office)
    while guesser.post("/api/v1/login", json={"name": "demo", "password": "wrong"}).status_code != 429:
        pass
    guesser.cookies["__Host-device"] = "x" * 75  # no token that anybody was given
    assert guesser.post("/api/v1/login", json=DEMO_LOGIN).status_code == 429
    assert house.browser(None, address=home).post("/api/v1/login", json=DEMO_LOGIN).status_code == 200
    assert colleague.post("/api/v1/login", json=DEMO_LOGIN).status_code == 200


def test_too_many_at_once_are_asked_to_come_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 and when; nobody is logged in."""

    def full(*_: object) -> None:
        raise Overloaded("all places are taken")

    monkeypatch.setattr(Passwords, "verify", full)
    answer = house.browser(None).post("/api/v1/login", json=DEMO_LOGIN)
    problem(answer, 503, "overloaded")
    assert answer.headers["retry-after"] == "1"


def test_an_outdated_hash_is_replaced_at_login(
    tmp_path: Path, furnished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user notices nothing: the session of before stays."""
    monkeypatch.setattr(passwords, "Hashing", Hashing)  # at the cost that it has where nobody says otherwise
    shutil.copy(furnished, tmp_path)

    def stored(house: House) -> str:
        with house.application.stack.database.read() as unit:
            return str(unit.scalar(select(users.c.password_hash).where(users.c.name == "demo")))

    with open_house(embedded_settings(tmp_path)) as house:
        before = house.browser()
        assert "m=19456,t=2,p=1" in stored(house)
        assert house.browser(None).post("/api/v1/login", json=DEMO_LOGIN).status_code == 200
        assert "m=65536,t=3,p=4" in stored(house)
        assert is_in(before)


# The second step


def test_a_password_alone_reaches_nothing_guarded(timed: House, clock: FakeClock) -> None:
    """Between the steps the session is nobody's, for every route that somebody must be logged in for."""
    telephone, _ = enrolled(timed.browser(), clock)
    visitor = timed.browser(None)
    first_step(visitor)
    rules = SPECIFICATION.rules()
    for rule in [*rules["rules"], *rules["signed_in"], "GET /api/v1/me"]:
        method, path = rule.split()
        answer = visitor.request(method, path.replace("{id}", "1"))
        assert answer.status_code == 401, rule
    between = visitor.session
    assert second_step(visitor, code=telephone.next_code()).json()["data"]["name"] == "demo"
    assert is_in(visitor)
    # Under a new id.
    other = timed.browser(None)
    other.session = between
    assert not is_in(other)


def test_a_code_is_good_once(timed: House, clock: FakeClock) -> None:
    """That of the enrolment, and one that logged in, sent again from elsewhere."""
    telephone, _ = enrolled(timed.browser(), clock)
    visitor, thief = timed.browser(None), timed.browser(None)
    for each in (visitor, thief):
        first_step(each)
    problem(second_step(thief, code=telephone.code()), 401, "login.code_refused")
    code = telephone.next_code()
    assert second_step(visitor, code=code).status_code == 200
    problem(second_step(thief, code=code), 401, "login.code_refused")
    assert not is_in(thief)


def test_no_code_without_a_password(timed: House, clock: FakeClock) -> None:
    """A right code and a right recovery code are nothing by themselves, nor after a logout."""
    telephone, spare = enrolled(timed.browser(), clock)
    visitor = timed.browser(None)
    problem(second_step(visitor, code=telephone.next_code()), 401, "login.start_again")
    problem(second_step(visitor, recovery_code=spare[0]), 401, "login.start_again")
    first_step(visitor)
    visitor.post("/api/v1/logout")
    problem(second_step(visitor, code=telephone.code()), 401, "login.start_again")


def test_the_second_step_comes_within_five_minutes(timed: House, clock: FakeClock) -> None:
    """A second before it counts, at the end not."""
    telephone, _ = enrolled(timed.browser(), clock)
    visitor = timed.browser(None)
    first_step(visitor)
    clock.advance(300)
    problem(second_step(visitor, code=telephone.code()), 401, "login.start_again")
    first_step(visitor)
    clock.advance(299)
    assert second_step(visitor, code=telephone.code()).status_code == 200


def test_wrong_used_and_pointless_codes_are_answered_alike(timed: House, clock: FakeClock) -> None:
    """Nothing tells that a code was right a minute ago, or that the factor was turned off meanwhile."""
    owner = timed.browser()
    telephone, spare = enrolled(owner, clock)
    visitor = timed.browser(None)
    first_step(visitor)
    answers = [second_step(visitor, code=telephone.code()), second_step(visitor, code="12345x")]
    answers += [second_step(visitor, recovery_code="CDFHJ-KLMNP-QRTVW-XY234-6789C")]
    assert owner.post(f"{ACCOUNT}/factor/disable", json={"password": PASSWORD}).status_code == 204
    answers += [second_step(visitor, code=telephone.next_code()), second_step(visitor, recovery_code=spare[0])]
    assert len({str(nameless(answer)) for answer in answers}) == 1
    problem(answers[0], 401, "login.code_refused")
    assert not is_in(visitor)


@pytest.mark.parametrize("body", [{}, {"code": "1", "recovery_code": "2"}, {"code": 123456}, {"code": "1" * 17}])
def test_the_second_step_takes_one_code(house: House, body: dict[str, object]) -> None:
    """As a text."""
    answer = house.browser(None).post("/api/v1/login/second-factor", json=body)
    assert problem(answer, 422, "data.invalid")["errors"]


def test_guessing_codes_is_delayed_and_a_recovery_code_still_works(timed: House, clock: FakeClock) -> None:
    """Five in one login, then 429 with a time to wait; another login of the user is not held up."""
    telephone, spare = enrolled(timed.browser(), clock)
    guesser, owner = timed.browser(None), timed.browser(None)
    for each in (guesser, owner):
        first_step(each)
    clock.advance(30)
    wrong = f"{(int(telephone.code()) + 1) % 1_000_000:06d}"
    answers = [second_step(guesser, code=wrong) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert second_step(guesser, code=telephone.code()).status_code == 429
    assert second_step(owner, code=telephone.code()).status_code == 200
    assert second_step(guesser, recovery_code=spare[3].lower()).status_code == 200


def test_a_recovery_code_is_good_once_and_its_use_is_told(timed: House, clock: FakeClock) -> None:
    """To the user, who may not have been it."""
    _, spare = enrolled(timed.browser(), clock)
    visitor, other = timed.browser(None), timed.browser(None)
    for each in (visitor, other):
        first_step(each)
    assert second_step(visitor, recovery_code=spare[0]).status_code == 200
    problem(second_step(other, recovery_code=spare[0]), 401, "login.code_refused")
    assert visitor.get(f"{ACCOUNT}/factor").json()["data"]["recovery_codes"] == 9


def test_a_change_of_password_ends_logins_that_wait_for_a_code(timed: House, clock: FakeClock) -> None:
    """Who knew the old one gets no further."""
    owner = timed.browser()
    telephone, _ = enrolled(owner, clock)
    thief = timed.browser(None)
    first_step(thief)
    assert owner.post(f"{ACCOUNT}/password", json={"current": PASSWORD, "new": NEW}).status_code == 204
    problem(second_step(thief, code=telephone.next_code()), 401, "login.start_again")


def test_another_login_in_the_same_browser_ends_the_first(timed: House, clock: FakeClock) -> None:
    """Who begins to log in as somebody with a second factor is nobody until the code comes."""
    enrolled(timed.browser("guest"), clock)
    visitor = timed.browser("demo")
    first_step(visitor, "guest")
    assert not is_in(visitor)


# Logging out


def test_a_logout_is_final_for_every_copy_of_the_cookie(house: House) -> None:
    """At the backend: a copy is worth nothing, and does not come back by being used."""
    visitor, copy = house.browser(), house.browser(None)
    copy.session = visitor.session
    assert is_in(copy)
    assert visitor.post("/api/v1/logout").status_code == 204
    for _ in range(2):
        assert copy.get("/api/v1/media").status_code == 401


def test_an_id_of_before_ends_the_session_and_says_why(timed: House) -> None:
    """Given somebody who uses an id that was replaced: everybody is out, and the login page tells them."""
    visitor, thief = timed.browser(None), timed.browser(None)
    visitor.post("/api/v1/login", json=DEMO_LOGIN)
    thief.session = visitor.session
    changed = visitor.post(f"{ACCOUNT}/password", json={"current": PASSWORD, "new": NEW})
    assert changed.status_code == 204
    assert visitor.session != thief.session
    assert is_in(visitor)
    assert thief.get("/api/v1/media").status_code == 401
    (notice,) = problem(thief.get("/api/v1/me"), 401, "authentication.required")["notices"]
    assert notice.startswith("You were logged out because somebody used an old key")
    assert problem(thief.get("/api/v1/me"), 401, "authentication.required")["notices"] == []
    assert not is_in(visitor)


# Passwords


def test_a_change_of_password_ends_the_other_devices(house: House) -> None:
    """And the links that would reset it; this device stays, under a new id."""
    here, there = house.browser(), house.browser()
    before = here.session
    token = house.application.accounts.reset_token("demo")
    assert here.post(f"{ACCOUNT}/password", json={"current": PASSWORD, "new": NEW}).status_code == 204
    assert is_in(here)
    assert here.session != before
    assert not is_in(there)
    assert row_counts(house.application)["pm_login_tokens"] == 0
    stale = house.browser(None).post("/api/v1/password-reset", json={"token": token, "password": NEW})
    problem(stale, 410, "reset.ended")
    problem(house.browser(None).post("/api/v1/login", json=DEMO_LOGIN), 401, "login.refused")
    assert house.browser(None).post("/api/v1/login", json={"name": "demo", "password": NEW}).status_code == 200


def test_a_session_of_an_older_password_is_none(house: House) -> None:
    """Even one that the store still has: somebody was logging in while it was changed."""
    late = house.browser()
    with house.application.stack.database.write() as tx:
        tx.execute(update(users).where(users.c.name == "demo").values(password_us=users.c.password_us + 1))
    problem(late.get("/api/v1/media"), 401, "authentication.required")
    assert problem(late.get("/api/v1/me"), 401, "authentication.required")["notices"] == [
        "You were logged out because your password was changed."
    ]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"current": "wrong", "new": NEW}, "/current", "password.wrong"),
        ({"current": PASSWORD, "new": "short"}, "/new", "password.too_short"),
        ({"current": PASSWORD}, "/new", "missing"),
        ({"new": NEW}, "/current", "missing"),
    ],
)
def test_a_change_needs_the_present_password_and_a_good_new_one(
    house: House, body: dict[str, str], pointer: str, code: str
) -> None:
    """What is wrong is told at its field, and all stays as it was."""
    here, there = house.browser(), house.browser()
    found = problem(here.post(f"{ACCOUNT}/password", json=body), 422, "data.invalid")["errors"]
    assert (found[0]["pointer"], found[0]["code"]) == (pointer, code)
    assert is_in(here)
    assert is_in(there)


def test_a_stolen_session_cannot_guess_the_password(house: House) -> None:
    """The guesses count as those of a login."""
    thief = house.browser(address="203.0.113.7")
    body = {"password": "guess"}
    answers = [thief.post(f"{ACCOUNT}/factor", json=body).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]


def test_a_link_sets_a_password_once(house: House) -> None:
    """A password that is too easy does not use it up; afterwards everybody is out and nobody in."""
    token = house.application.accounts.reset_token("demo")
    before, visitor = house.browser(), house.browser(None)
    easy = visitor.post("/api/v1/password-reset", json={"token": token, "password": "short"})
    problem(easy, 422, "data.invalid")
    assert visitor.post("/api/v1/password-reset", json={"token": token, "password": NEW}).status_code == 204
    assert not is_in(before)
    assert not is_in(visitor)
    for each in (token, "x" * 43, ""):
        again = visitor.post("/api/v1/password-reset", json={"token": each, "password": NEW})
        problem(again, 410, "reset.ended")
    assert visitor.post("/api/v1/login", json={"name": "demo", "password": NEW}).status_code == 200


def test_a_link_does_not_pass_by_the_second_factor(timed: House, clock: FakeClock) -> None:
    """Who has the link still needs the telephone."""
    telephone, _ = enrolled(timed.browser(), clock)
    visitor = timed.browser(None)
    token = timed.application.accounts.reset_token("demo")
    assert visitor.post("/api/v1/password-reset", json={"token": token, "password": NEW}).status_code == 204
    answer = visitor.post("/api/v1/login", json={"name": "demo", "password": NEW})
    assert answer.json()["data"]["second_factor"] == "required"
    assert not is_in(visitor)
    assert second_step(visitor, code=telephone.next_code()).status_code == 200


def test_an_operator_makes_links_and_administrators(
    tmp_path: Path, furnished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the command line: the token stands behind the #, and in the database only as its HMAC."""
    shutil.copy(furnished, tmp_path)
    for name in ("DATABASE__URL", "CACHE__URL", "SESSIONS__URL", "JOBS__URL"):
        monkeypatch.delenv(f"POSTRMAGIC_{name}", raising=False)
    monkeypatch.setenv("POSTRMAGIC_STACK__DATA_DIR", str(tmp_path))
    runner = CliRunner()
    printed = runner.invoke(command, ["reset-link", "demo", "--url", "https://posters.test/"]).stdout.strip()
    address, _, token = printed.partition("#reset=")
    assert (address, len(token)) == ("https://posters.test/", 43)
    assert runner.invoke(command, ["reset-link", "nobody"]).exit_code == 1
    assert runner.invoke(command, ["admin", "guest"]).exit_code == 0
    assert runner.invoke(command, ["admin", "nobody"]).exit_code == 1
    application = assemble(Stack.from_env())
    with application.stack, application.stack.database.read() as unit:
        assert token.encode() not in b"".join(unit.scalars(select(login_tokens.c.digest)))
        guest = application.accounts.by_name("guest")
        assert guest is not None
        assert application.stack.security.access.roles_of(guest.key) == ["admin", "user"]


# Second factors


def test_enrolment_needs_the_password_and_the_first_code(timed: House, clock: FakeClock) -> None:
    """Shown as a picture and as a text, for one's eyes alone; without the first code nothing is on."""
    visitor, other = timed.browser(), timed.browser()
    problem(visitor.post(f"{ACCOUNT}/factor", json={"password": "wrong"}), 422, "data.invalid")
    begun = visitor.post(f"{ACCOUNT}/factor", json={"password": PASSWORD})
    data = begun.json()["data"]
    assert begun.headers["cache-control"] == "no-store"
    assert data["qr"].startswith("data:image/svg+xml;base64,")
    assert "img-src 'self' data:" in begun.headers["content-security-policy"]
    wrong = problem(visitor.post(f"{ACCOUNT}/factor/confirm", json={"code": "000000"}), 422, "data.invalid")
    assert wrong["errors"][0]["pointer"] == "/code"
    assert visitor.get(f"{ACCOUNT}/factor").json()["data"]["enabled"] is False
    telephone = Telephone(data["secret"], clock)
    answer = visitor.post(f"{ACCOUNT}/factor/confirm", json={"code": telephone.code()})
    assert len(answer.json()["data"]["recovery_codes"]) == 10
    assert answer.headers["cache-control"] == "no-store"
    status = visitor.get(f"{ACCOUNT}/factor")
    assert (status.json()["data"]["enabled"], status.json()["data"]["recovery_codes"]) == (True, 10)
    assert is_in(visitor)
    assert not is_in(other)
    problem(visitor.post(f"{ACCOUNT}/factor", json={"password": PASSWORD}), 409, "factor.enabled")


def test_a_factor_is_turned_off_by_the_password(timed: House, clock: FakeClock) -> None:
    """Then the password is enough again; of renewed recovery codes only the new ones work."""
    visitor = timed.browser()
    problem(visitor.post(f"{ACCOUNT}/recovery-codes", json={"password": PASSWORD}), 409, "factor.not_enabled")
    _, old = enrolled(visitor, clock)
    for wrong in ({"password": "wrong"}, {}):
        problem(visitor.post(f"{ACCOUNT}/recovery-codes", json=wrong), 422, "data.invalid")
        problem(visitor.post(f"{ACCOUNT}/factor/disable", json=wrong), 422, "data.invalid")
    renewed = visitor.post(f"{ACCOUNT}/recovery-codes", json={"password": PASSWORD}).json()["data"]["recovery_codes"]
    other = timed.browser(None)
    first_step(other)
    problem(second_step(other, recovery_code=old[0]), 401, "login.code_refused")
    assert second_step(other, recovery_code=renewed[0]).status_code == 200
    for _ in range(2):  # turned off twice it is off
        assert visitor.post(f"{ACCOUNT}/factor/disable", json={"password": PASSWORD}).status_code == 204
    assert timed.browser(None).post("/api/v1/login", json=DEMO_LOGIN).json()["data"]["name"] == "demo"


def test_a_name_that_apps_cannot_show_has_a_factor_too(timed: House) -> None:
    """Operators name accounts as they like."""
    timed.application.accounts.create("ann: work", PASSWORD)
    begun = timed.browser("ann: work").post(f"{ACCOUNT}/factor", json={"password": PASSWORD})
    assert (begun.status_code, "account " in begun.json()["data"]["alt"]) == (201, True)


def test_users_are_told_of_what_happened_to_their_account(house: House) -> None:
    """By the bell, whoever did it."""
    visitor = house.browser()
    visitor.post(f"{ACCOUNT}/password", json={"current": PASSWORD, "new": NEW})
    settle(house)
    lines = visitor.get("/api/v1/notifications").json()["data"]
    assert [(line["kind"], line["message"]) for line in lines] == [("password.changed", "Your password was changed.")]


# Devices


def test_devices_are_listed_and_ended(house: House) -> None:
    """Each with what it is and without what it holds; one, then all others, are out at once."""
    here, there, elsewhere = (house.browser() for _ in range(3))
    for each in (there, here):
        each.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
        assert is_in(each)
    answer = here.get(f"{ACCOUNT}/devices")
    devices = answer.json()["data"]
    assert [device["current"] for device in devices].count(True) == 1
    assert len(devices) == 3
    assert set(devices[0]) == {"id", "agent", "network", "began_at", "last_seen_at", "current"}
    for each in (here, there, elsewhere):
        assert each.session not in answer.text
    gone = next(device["id"] for device in there.get(f"{ACCOUNT}/devices").json()["data"] if device["current"])
    assert here.delete(f"{ACCOUNT}/devices/{gone}").status_code == 204
    assert not is_in(there)
    problem(here.delete(f"{ACCOUNT}/devices/{gone}"), 404, "device.not_found")
    assert is_in(elsewhere)
    for _ in range(2):
        assert here.delete(f"{ACCOUNT}/devices").status_code == 204
    assert not is_in(elsewhere)
    assert is_in(here)


@pytest.mark.parametrize("device", ["x", "%00", "é", "a" * 5000, ".."])
def test_a_device_that_is_none_is_refused(house: House, device: str) -> None:
    """However odd its name."""
    answer = house.browser().delete(f"{ACCOUNT}/devices/{device}")
    assert 400 <= answer.status_code < 500


# Secrets


def test_no_secret_is_logged_or_kept_by_a_key(timed: House, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """Passwords, secrets, codes and cookies stand in no record, and a repeated key brings none of them back."""
    caplog.set_level(logging.DEBUG)
    visitor, keyed = timed.browser(None), {"Idempotency-Key": "again"}
    visitor.post("/api/v1/login", json=DEMO_LOGIN, headers=keyed)
    secrets = [PASSWORD, NEW, "a wrong password", visitor.session, visitor.cookies["__Host-device"]]
    visitor.post("/api/v1/login", json={"name": "demo", "password": "a wrong password"})
    begun = visitor.post(f"{ACCOUNT}/factor", json={"password": PASSWORD}, headers=keyed)
    secret = begun.json()["data"]["secret"]
    telephone = Telephone(secret, clock)
    spare = visitor.post(f"{ACCOUNT}/factor/confirm", json={"code": telephone.code()}, headers=keyed)
    token = timed.application.accounts.reset_token("demo") or ""
    visitor.post("/api/v1/password-reset", json={"token": token, "password": NEW}, headers=keyed)
    visitor.post("/api/v1/signup", json={"name": "ann", "password": NEW}, headers=keyed)
    secrets += [secret, secret.replace(" ", ""), token, *spare.json()["data"]["recovery_codes"]]
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "security.factor_enabled" in logged
    assert [each for each in secrets if each in logged] == []
    assert row_counts(timed.application)["pm_once"] == 0
    assert all("Idempotency-Replayed" not in each.headers for each in (begun, spare))


# From the version before


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mysql)])
def before(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseManager]:
    """A database of the version before there were roles, and the way from there."""
    url = f"sqlite:///{tmp_path / 'app.db'}" if request.param == "sqlite" else request.getfixturevalue("mariadb_url")
    migrations = Migrations("media_library:migrations")
    with DatabaseManager(url, migrations=migrations) as database:
        database.upgrade()
        Migrator(database.backend, migrations).downgrade("20261128110000")
        yield database


def test_who_was_an_administrator_stays_one(before: DatabaseManager) -> None:
    """Roles in place of the column, there and back."""
    old = text(
        "INSERT INTO users (name, password_hash, quota_bytes, used_bytes, is_admin, created_us) "
        "VALUES (:name, 'x', 1, 0, :admin, 7)"
    )
    with before.write() as tx:
        tx.execute(old, [{"name": "ann", "admin": True}, {"name": "ben", "admin": False}])
    before.upgrade()
    with before.read() as unit:
        held = {(row.user_id, row.role) for row in unit.execute(select(user_roles))}
        names = {str(row.id): (row.name, row.password_us) for row in unit.execute(select(users))}
        assert "is_admin" not in {column["name"] for column in inspect(unit.connection).get_columns("users")}
    told = {(names[key][0], role) for key, role in held}
    assert told == {("ann", "user"), ("ann", "admin"), ("ben", "user")}
    assert {password_us for _, password_us in names.values()} == {0}
    with before.write() as tx:
        row = {"name": "cleo", "password_hash": "x", "quota_bytes": 1, "created_us": 8}
        added = inserted_id(tx.execute(insert(users).values(row)))
        tx.execute(insert(user_roles).values(user_id=str(added), role="user", granted_us=8))
    Migrator(before.backend, Migrations("media_library:migrations")).downgrade("20261128110000")
    with before.read() as unit:
        found = unit.execute(text("SELECT name, is_admin FROM users ORDER BY name"))
        assert [(row.name, bool(row.is_admin)) for row in found] == [("ann", True), ("ben", False), ("cleo", False)]
        assert list(unit.scalars(select(user_roles.c.role))) == []
