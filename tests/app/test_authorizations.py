"""What a user is asked when a program wants to use their library, what comes of the answer, and how it ends."""

from __future__ import annotations

import logging
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from media_library.roles import SCOPES
from media_library.seed import DEMO
from postrmagic_core.errors import OAuthRefused
from postrmagic_core.testing.capture import embedded_settings
from postrmagic_core.testing.clock import FakeClock
from tests.app.house import Browser, House, open_house, small
from tests.app.oauth_around import API
from tests.app.programs import BACK, Program, answered, register
from tests.app.test_api import problem


@pytest.fixture
def clock() -> FakeClock:
    """Stands where the test says."""
    return FakeClock(datetime.now(UTC))


def asked(browser: Browser, query: str, path: str = "/preview", **more: object) -> httpx.Response:
    """What the page is answered that a program's address has opened."""
    return browser.post(f"{API}/authorizations{path}", json={"query": query} | more)


def test_the_question_tells_who_asks_and_what_for(house: House, visitor: Browser) -> None:
    """The program's name and id, where the browser goes, the scopes in words, for how long; nothing comes of it."""
    program = Program(house, scopes=("media.read", "media.write"))
    before = house.left
    told = asked(visitor, program.query()).json()["data"]
    assert told == {
        "client": {"id": program.id, "name": "Wall of Posters"},
        "host": "127.0.0.1:8401",
        "scopes": [{"name": scope.name, "about": scope.about} for scope in SCOPES[:2]],
        "lifetime": 90 * 86_400.0,
    }
    assert house.left == before


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"client_id": "nobody"}, "invalid_request"),
        ({"client_id": None}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/back"}, "invalid_request"),
        ({"redirect_uri": f"{BACK}?x=1"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
    ],
)
def test_a_program_that_nobody_knows_is_told_nothing(
    house: House, visitor: Browser, changed: dict[str, str | None], error: str
) -> None:
    """The user is, and the browser is sent nowhere: neither by the question nor by an answer to it."""
    query = Program(house).query(**changed)
    for answer in (
        asked(visitor, query),
        asked(visitor, query, "", allow=True),
        asked(visitor, query, "", allow=False),
    ):
        told = problem(answer, 400, "authorization.refused")
        assert (told["error"], told["location"]) == (error, None)
        assert told["detail"]


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "media.read everything"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"resource": "https://other.example"}, "invalid_target"),
    ],
)
def test_a_program_that_asks_wrongly_is_told_where_it_is(
    house: House, visitor: Browser, changed: dict[str, str | None], error: str
) -> None:
    """By the browser, with its state and who says so; no code is made."""
    query = Program(house).query(**changed)
    for answer in (asked(visitor, query), asked(visitor, query, "", allow=True)):
        told = problem(answer, 400, "authorization.refused")
        assert told["error"] == error
        assert told["location"].startswith(f"{BACK}?")
        back = answered(told["location"])
        assert (back["error"], back["state"], back["iss"]) == (error, "k3Jq", "https://library.test")
        assert "code" not in back


@pytest.mark.parametrize("scopes", [[], ["media.write"], ["media.read", "media.write"], ["everything"], ["é"]])
def test_nothing_is_allowed_but_what_was_asked_for(house: House, visitor: Browser, scopes: list[str]) -> None:
    """Nor nothing at all: that is to deny it."""
    answer = asked(visitor, Program(house).query(), "", allow=True, scopes=scopes)
    assert problem(answer, 422, "data.invalid")["errors"][0]["pointer"] == "/scopes"


def test_a_program_that_is_denied_is_told_so(house: House, visitor: Browser) -> None:
    """Without a code; and the audit log knows."""
    location = asked(visitor, Program(house).query(), "", allow=False).json()["data"]["location"]
    assert answered(location)["error"] == "access_denied"
    (entry,) = house.application.stack.security.audit.find(action="oauth.denied")
    assert entry.actor == str(house.user_id())


def test_nobody_allows_a_program_for_somebody_else(house: House) -> None:
    """Nobody, a token of either kind, and a page of another site: no code."""
    program = Program(house)
    token = program.connect()["access_token"]
    personal = house.application.stack.security.access_tokens.issue(str(house.user_id()), "script").token
    problem(asked(house.browser(None), program.query(), "", allow=True), 401, "authentication.required")
    for text in (token, personal):
        client = house.browser(None)
        client.headers["Authorization"] = f"Bearer {text}"
        problem(asked(client, program.query(), "", allow=True), 403, "access.denied")
        problem(asked(client, program.query()), 403, "access.denied")
        problem(client.get(f"{API}/authorizations"), 403, "access.denied")
    elsewhere = house.browser()
    elsewhere.headers["Sec-Fetch-Site"] = "cross-site"
    problem(asked(elsewhere, program.query(), "", allow=True), 403, "csrf.cross_site")


def test_a_key_brings_no_code_back(house: House, visitor: Browser) -> None:
    """Asked twice with one ``Idempotency-Key`` there are two codes: the first is kept nowhere."""
    keyed = {"Idempotency-Key": "again"}
    sent = {"query": Program(house).query(), "allow": True}
    answers = [visitor.post(f"{API}/authorizations", json=sent, headers=keyed) for _ in range(2)]
    assert len({answered(answer.json()["data"]["location"])["code"] for answer in answers}) == 2


def test_connected_programs_are_listed_and_ended(house: House, visitor: Browser) -> None:
    """By their user alone; what they got is nobody's from then on."""
    program = Program(house)
    assert visitor.get(f"{API}/authorizations").json()["data"] == []
    token = program.connect()["access_token"]
    (told,) = visitor.get(f"{API}/authorizations").json()["data"]
    assert told["client"] == {"id": program.id, "name": "Wall of Posters"}
    assert [scope["name"] for scope in told["scopes"]] == ["media.read"]
    script = house.browser(None)
    script.headers["Authorization"] = f"Bearer {token}"
    assert script.get(f"{API}/media").status_code == 200
    path = f"{API}/authorizations/{told['id']}"
    problem(house.browser("guest").delete(path), 404, "authorization.not_found")
    assert visitor.delete(path).status_code == 204
    problem(script.get(f"{API}/media"), 401, "authentication.required")
    problem(visitor.delete(path), 404, "authorization.not_found")
    assert visitor.get(f"{API}/authorizations").json()["data"] == []


def test_a_reset_of_the_password_ends_what_programs_were_allowed(house: House) -> None:
    """Whoever got into the account may have allowed one of their own; a code that waits is used up as well."""
    program, waiting = Program(house), Program(house)
    script = client_of(house, program.connect()["access_token"])
    code = waiting.code()
    assert script.get(f"{API}/media").status_code == 200
    token = house.application.accounts.reset_token(DEMO["name"])
    sent = {"token": token, "password": "seven lanterns over still water"}
    assert house.browser(None).post(f"{API}/password-reset", json=sent).status_code == 204
    problem(script.get(f"{API}/media"), 401, "authentication.required")
    with pytest.raises(OAuthRefused):
        waiting.redeem(code)


@pytest.mark.parametrize("name", ["x", "%00", "é", "a" * 5000, "0" * 36])
def test_a_program_that_is_none_cannot_be_ended(visitor: Browser, name: str) -> None:
    """However odd its name."""
    assert 400 <= visitor.delete(f"{API}/authorizations/{name}").status_code < 500


# What a token may


def client_of(house: House, token: str) -> Browser:
    """A program that sends a token."""
    client = house.browser(None)
    del client.headers["Sec-Fetch-Site"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def test_a_program_does_no_more_than_the_user_may_and_allowed(house: House) -> None:
    """The roles that the user has now, and the scopes: whichever is less."""
    keeper = client_of(house, Program(house, scopes=("accounts.read",)).connect("keeper")["access_token"])
    assert keeper.get(f"{API}/admin/users").status_code == 200
    problem(keeper.get(f"{API}/media"), 403, "access.denied")
    problem(keeper.put(f"{API}/admin/users/1/roles/admin"), 403, "access.denied")
    demo = client_of(house, Program(house, scopes=("accounts.read", "media.read")).connect()["access_token"])
    problem(demo.get(f"{API}/admin/users"), 403, "access.denied")
    assert demo.get(f"{API}/media").status_code == 200
    house.application.stack.security.access.revoke(str(house.user_id()), "user", actor=None)
    problem(demo.get(f"{API}/media"), 403, "access.denied")


def test_a_program_for_itself_has_no_account(house: House) -> None:
    """Whatever role it was given: what is about somebody's own things is refused, and nothing fails."""
    program = register(
        house.application.stack.security.oauth, "Night Watch", scopes=SCOPES.names, redirect_uris=[],
        grant_types=["client_credentials"],
    )  # fmt: skip
    form = {"grant_type": "client_credentials", "client_id": program.info.id, "client_secret": program.secret or ""}
    token = str(house.application.stack.security.oauth.token(form, authorization=None)["access_token"])
    client, access = client_of(house, token), house.application.stack.security.access
    medium = house.browser().added()
    for roles in ([], ["user"], ["user", "admin"]):
        for role in roles:
            access.grant(f"client:{program.info.id}", role, actor=None)
        for path in ("me", "media", "tags", "stats", "notifications", "tokens", "authorizations", "account/devices"):
            problem(client.get(f"{API}/{path}"), 403, "access.denied")
        problem(client.upload("a.jpeg", small()), 403, "access.denied")
        assert list(house.application.library.storage.incoming.iterdir()) == []
        problem(client.post(f"{API}/notifications/read", json={"until": "2026-01-01T00:00:00Z"}), 403, "access.denied")
        changes = {"items": [{"action": "delete", "id": medium["id"]}]}
        problem(client.post(f"{API}/media/bulk", json=changes), 403, "access.denied")
        for method in ("GET", "PATCH", "DELETE"):
            answer = client.request(method, f"{API}/media/{medium['id']}", json={"title": "mine"})
            assert answer.status_code in {403, 404}, method
    assert client.get(f"{API}/admin/users").status_code == 200
    assert house.browser().get(medium["file"]).status_code == 200
    audit = house.browser("keeper").get(f"{API}/admin/audit").json()["data"]
    assert f"client:{program.info.id}" in {entry["subject"] for entry in audit}


def test_a_program_is_out_when_its_time_is_over(tmp_path: Path, furnished: Path, clock: FakeClock) -> None:
    """The access token soon, the consent in ninety days, however often it was refreshed."""
    shutil.copy(furnished, tmp_path)
    with open_house(embedded_settings(tmp_path), clock) as house:
        program = Program(house)
        tokens = program.connect()
        client = client_of(house, tokens["access_token"])
        clock.advance(599)
        assert client.get(f"{API}/media").status_code == 200
        clock.advance(2)
        problem(client.get(f"{API}/media"), 401, "authentication.required")
        (told,) = house.application.stack.security.oauth.grants_of(str(house.user_id()))
        assert told.expires_at - told.created_at == timedelta(days=90)


def test_one_address_does_not_ask_for_ever(tmp_path: Path, furnished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoints of applications have a limit of their own, which each of them counts in; other addresses go on."""
    monkeypatch.setattr("media_library.web._PROGRAMS", "3/minute")
    shutil.copy(furnished, tmp_path)
    with open_house(embedded_settings(tmp_path)) as house:
        guessing, other = house.browser(None, address="203.0.113.7"), house.browser(None, address="203.0.113.8")
        form = {"grant_type": "refresh_token", "client_id": "x", "refresh_token": "pmr_x"}
        told = [guessing.post(f"/oauth/{name}", data=form) for name in ("token", "revoke", "introspect", "token")]
        assert [answer.status_code for answer in told] == [401, 401, 401, 429]
        assert int(told[-1].headers["retry-after"]) > 0
        assert other.post("/oauth/token", data=form).status_code == 401
        assert guessing.get("/oauth/jwks.json").status_code == 200


def test_without_an_issuer_there_is_no_authorization_server(tmp_path: Path, furnished: Path) -> None:
    """No page, no endpoint, no program; what asks is told so, and personal tokens work as ever."""
    shutil.copy(furnished, tmp_path)
    with open_house(embedded_settings(tmp_path), oauth=False) as house:
        browser = house.browser()
        assert not house.application.stack.security.has_oauth
        assert browser.get("/oauth/authorize").status_code == 404
        for path in ("token", "revoke", "introspect"):
            assert browser.post(f"/oauth/{path}", data={}).status_code in {401, 403, 404, 405}
        assert house.browser(None).get("/.well-known/oauth-authorization-server").status_code in {401, 404}
        told = problem(asked(browser, "client_id=x"), 400, "authorization.refused")
        assert told["location"] is None
        assert browser.get(f"{API}/authorizations").json()["data"] == []
        problem(browser.delete(f"{API}/authorizations/x"), 404, "authorization.not_found")
        made = browser.post(f"{API}/tokens", json={"name": "script", "password": DEMO["password"]})
        script = client_of(house, made.json()["data"]["token"])
        assert script.get(f"{API}/media").status_code == 200


def test_neither_codes_nor_tokens_are_logged(house: House, visitor: Browser, caplog: pytest.LogCaptureFixture) -> None:
    """From the question to the revocation."""
    caplog.set_level(logging.DEBUG)
    program = Program(house)
    location = asked(visitor, program.query(), "", allow=True).json()["data"]["location"]
    form = {"grant_type": "authorization_code", "client_id": program.id, "redirect_uri": BACK}
    form |= {"code": answered(location)["code"], "code_verifier": program.verifier}
    outside = house.browser(None)
    tokens = outside.post("/oauth/token", data=form).json()
    client_of(house, tokens["access_token"]).get(f"{API}/media")
    client_of(house, tokens["access_token"][:-4]).get(f"{API}/media")
    outside.post("/oauth/token", data=form)
    revocation = {"client_id": program.id, "token": tokens["refresh_token"]}
    assert outside.post("/oauth/revoke", data=revocation).status_code == 200
    ours = [record for record in caplog.records if record.name != "httpx"]  # which is the client
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in ours)
    assert "oauth" in logged
    secrets = [form["code"], form["code_verifier"], tokens["access_token"], tokens["refresh_token"]]
    assert [secret for secret in secrets if secret[8:] in logged] == []
