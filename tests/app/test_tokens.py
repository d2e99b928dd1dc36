"""Access tokens of the media library over HTTP: how a user gets one, what a script may do with it, how it ends."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import MetaData, select, update

from media_library.roles import USER
from media_library.seed import DEMO
from media_library.specification import SPECIFICATION
from postrmagic_core.log.policy import scrub
from postrmagic_core.security.access_tokens import PATTERN
from postrmagic_core.security.tables import access_tokens
from postrmagic_core.testing.capture import embedded_settings
from postrmagic_core.testing.clock import FakeClock
from tests.app.house import Browser, House, open_house, small
from tests.app.test_api import problem

PASSWORD = DEMO["password"]
TOKENS = "/api/v1/tokens"
DAY = 86_400
ALL = ["media:create", "media:read:own", "media:edit:own", "media:delete:own"]


@pytest.fixture
def clock() -> FakeClock:
    """Stands where the test says."""
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def timed(tmp_path: Path, furnished: Path, clock: FakeClock) -> Iterator[House]:
    """The site by that clock."""
    shutil.copy(furnished, tmp_path)
    with open_house(embedded_settings(tmp_path), clock) as opened:
        yield opened


def asked(browser: Browser, **wanted: object) -> httpx.Response:
    """The answer to whoever wants a token."""
    return browser.post(TOKENS, json={"name": "backup at night", "password": PASSWORD} | wanted)


def issued(browser: Browser, **wanted: object) -> str:
    """The text of a new token."""
    answer = asked(browser, **wanted)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["data"]["token"]
    return found


def script(house: House, *tokens: str) -> Browser:
    """A client that is no browser: no cookie, nothing of a site, ``Authorization`` once for each token."""
    client = house.browser(None)
    del client.headers["Sec-Fetch-Site"]
    client.headers = httpx.Headers([*client.headers.multi_items(), *(("Authorization", f"Bearer {t}") for t in tokens)])
    return client


def refused(answer: httpx.Response, *, sent: bool = True) -> None:
    """Nobody asked, and this is how to; whoever ``sent`` a token is told that it is not good, and no more."""
    problem(answer, 401, "authentication.required")
    told = ', error="invalid_token"' if sent else ""
    assert answer.headers["www-authenticate"] == f'Bearer realm="media-library"{told}'
    assert "set-cookie" not in answer.headers


# How one gets a token


def test_a_token_is_shown_once_and_then_only_told_of(house: House, visitor: Browser) -> None:
    """With its name, what it may and until when; what the database holds is no token."""
    answer = asked(visitor, permissions=["media:read:own"], days=7)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    token, about = answer.json()["data"]["token"], answer.json()["data"]["about"]
    assert httpx.URL(f"https://x/{token}").path == f"/{token}"
    (listed,) = visitor.get(TOKENS).json()["data"]
    assert listed == about
    assert set(about) == {"id", "name", "permissions", "created_at", "expires_at", "last_used_at"}
    assert (about["name"], about["permissions"], about["last_used_at"]) == ("backup at night", ["media:read:own"], None)
    lasts = datetime.fromisoformat(about["expires_at"]) - datetime.fromisoformat(about["created_at"])
    assert lasts.total_seconds() == 7 * DAY
    assert token not in visitor.get(TOKENS).text
    assert house.browser("guest").get(TOKENS).json()["data"] == []


@pytest.mark.parametrize(
    ("sent", "pointer", "code"),
    [
        ({"password": "wrong"}, "/password", "password.wrong"),
        ({"password": None}, "/password", "string_type"),
        ({"name": ""}, "/name", "string_too_short"),
        ({"name": "n" * 65}, "/name", "string_too_long"),
        ({"name": "two\nlines"}, "/name", "text.control"),
        ({"name": "turned\u202eround"}, "/name", "text.control"),
        ({"days": 0}, "/days", "greater_than_equal"),
        ({"days": 366}, "/days", "less_than_equal"),
        ({"permissions": ["*:*"]}, "/permissions/0", "choice.expected"),
        ({"permissions": ["media:everything"]}, "/permissions/0", "choice.expected"),
        ({"permissions": ["media:read"] * 51}, "/permissions", "too_long"),
        ({"user": "2"}, "/user", "extra_forbidden"),
    ],
)
def test_no_token_without_the_password_or_for_what_is_not_there(
    house: House, visitor: Browser, sent: dict[str, object], pointer: str, code: str
) -> None:
    """What is wrong is told at its field; nothing is kept."""
    answer = asked(visitor, **sent)
    found = problem(answer, 422, "data.invalid")["errors"]
    assert [(one["pointer"], one["code"]) for one in found] == [(pointer, code)]
    assert visitor.get(TOKENS).json()["data"] == []


@pytest.mark.parametrize(
    "name", ["a\u00a0b", "a\u2009b", "\u3000a", "a\u200db", "\ue000", "\u0378", "🎷 at dusk", " a "]
)
def test_any_name_is_taken_or_refused_in_words(visitor: Browser, name: str) -> None:
    """Spaces of all kinds, joiners, letters of private use or of nobody: never an error of ours."""
    answer = asked(visitor, name=name)
    if answer.status_code == 201:
        assert answer.json()["data"]["about"]["name"] == name.strip()
    else:
        assert problem(answer, 422, "data.invalid")["errors"][0]["code"] == "name.unprintable"


def test_a_stolen_session_cannot_guess_the_password_for_a_token(house: House) -> None:
    """The guesses count as those of a login."""
    thief = house.browser(address="203.0.113.7")
    assert [asked(thief, password="guess").status_code for _ in range(11)] == [422] * 10 + [429]
    problem(asked(thief), 429, "login.throttled")


def test_there_is_an_end_to_how_many_a_user_has(house: House, visitor: Browser) -> None:
    """409; one that is revoked makes room."""
    tokens, user = house.application.stack.security.access_tokens, str(house.user_id())
    with house.application.stack.database.write() as tx:
        first, *_ = [tokens.issue(user, "many", tx=tx).info.id for _ in range(50)]
    problem(asked(visitor), 409, "access_token.too_many")
    assert visitor.delete(f"{TOKENS}/{first}").status_code == 204
    assert asked(visitor).status_code == 201


def test_a_key_brings_no_token_back(visitor: Browser) -> None:
    """Asked twice with one ``Idempotency-Key`` there are two: the first is kept nowhere to be given again."""
    keyed = {"Idempotency-Key": "again"}
    sent = {"name": "backup", "password": PASSWORD}
    answers = [visitor.post(TOKENS, json=sent, headers=keyed) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len({answer.json()["data"]["token"] for answer in answers}) == 2


# What it may


def test_a_script_does_what_its_owner_may(any_house: House) -> None:
    """A medium from the upload to the end, without a cookie and without a word of where it comes from."""
    house = any_house
    client = script(house, issued(house.browser()))
    medium = client.added()
    one = f"/api/v1/media/{medium['id']}"
    assert client.patch(one, json={"title": "By night", "tags": ["jazz"]}).json()["data"]["title"] == "By night"
    assert [item["id"] for item in client.get("/api/v1/media").json()["data"]] == [medium["id"]]
    assert client.get(medium["file"]).status_code == 200
    assert client.get("/api/v1/tags").json()["data"] == [{"name": "jazz", "count": 1}]
    assert client.get("/api/v1/stats").json()["data"]["media"] == 1
    assert client.get("/api/v1/me").json()["data"]["name"] == "demo"
    assert client.delete(one).status_code == 204
    assert "set-cookie" not in client.get("/api/v1/media").headers
    assert not client.cookies


def test_a_script_does_no_more_than_its_owner_may(house: House) -> None:
    """Whatever the token was given: what the owner lacks, and what is others', it has not."""
    medium = house.browser("guest").added()
    wide = ["media:read", "media:edit", "media:delete", "user:read", "user:grant", "audit:read"]
    for client in (script(house, issued(house.browser(), **more)) for more in ({}, {"permissions": wide})):
        for path in ("users", "users/1/roles", "users/1/explain?permission=user:grant", "audit"):
            problem(client.get(f"/api/v1/admin/{path}"), 403, "access.denied")
        problem(client.put(f"/api/v1/admin/users/{house.user_id()}/roles/admin"), 403, "access.denied")
        for method in ("GET", "PATCH", "DELETE"):
            answer = client.request(method, f"/api/v1/media/{medium['id']}", json={"title": "mine"})
            problem(answer, 404, "media.not_found")
    assert house.browser("guest").get(f"/api/v1/media/{medium['id']}").json()["data"]["title"] == medium["title"]
    assert house.application.stack.security.access.roles_of(str(house.user_id())) == [USER]


@pytest.mark.parametrize("granted", [*ALL, None])
def test_a_script_does_only_what_its_token_allows(house: House, granted: str | None) -> None:
    """One permission, or none: each operation on media, by whether it passes."""
    medium = house.browser().added()
    one = f"/api/v1/media/{medium['id']}"
    client = script(house, issued(house.browser(), permissions=[granted] if granted else []))
    calls: list[tuple[str, str, str]] = [
        ("media:read:own", "GET", "/api/v1/media"),
        ("media:read:own", "GET", one),
        ("media:read:own", "GET", medium["file"]),
        ("media:read:own", "GET", "/api/v1/tags"),
        ("media:read:own", "GET", "/api/v1/stats"),
        ("media:edit:own", "PATCH", one),
        ("media:delete:own", "DELETE", one),
    ]
    passed = {(method, path) for _, method, path in calls if client.request(method, path, json={}).status_code < 400}
    assert passed == {(method, path) for needed, method, path in calls if needed == granted}
    assert (client.upload("a.jpeg", small()).status_code == 201) is (granted == "media:create")


def test_an_edit_by_a_token_that_cannot_read_is_made_and_shown(house: House) -> None:
    """Whoever may change a medium is told what it has become: no change is made that is then denied."""
    medium = house.browser().added()
    client = script(house, issued(house.browser(), permissions=["media:edit:own"]))
    answer = client.patch(f"/api/v1/media/{medium['id']}", json={"title": "changed"})
    assert (answer.status_code, answer.json()["data"]["title"]) == (200, "changed")


def test_a_limited_token_of_an_administrator_is_limited(house: House) -> None:
    """It looks and does not give."""
    client = script(house, issued(house.browser("keeper"), permissions=["user:read"]))
    path = f"/api/v1/admin/users/{house.user_id('guest')}/roles"
    assert client.get(path).json()["data"]["roles"] == ["user"]
    problem(client.put(f"{path}/admin"), 403, "access.denied")
    problem(client.get("/api/v1/admin/audit"), 403, "access.denied")
    problem(client.get("/api/v1/media"), 403, "access.denied")


@pytest.mark.parametrize("permissions", [None, ["account:manage"]])
def test_no_token_makes_a_token_or_touches_the_account(house: House, permissions: list[str] | None) -> None:
    """Tokens, password, second factor and devices are for who is there: with the right password too."""
    client = script(house, issued(house.browser(), permissions=permissions))
    own = [rule.split() for rule, need in SPECIFICATION.rules()["rules"].items() if need == "account:manage"]
    assert len(own) >= 11
    before = house.left
    for method, path in own:
        sent = {"name": "x", "password": PASSWORD, "current": PASSWORD, "new": "seven lanterns over water", "code": "1"}
        problem(client.request(method, path.replace("{id}", "1"), json=sent), 403, "access.denied")
    house.application.stack.security.audit.flush()
    assert house.left | {"pm_audit": 0} == before | {"pm_audit": 0}
    assert house.browser(None).post("/api/v1/login", json=DEMO).status_code == 200


# Where it comes from


def test_a_token_needs_no_proof_against_other_sites(house: House, visitor: Browser) -> None:
    """No browser adds one by itself; but what a page of another site sends is refused with one too."""
    client = script(house, issued(visitor))
    sent = {"title": "By night"}
    one = f"/api/v1/media/{client.added()['id']}"
    assert client.patch(one, json=sent).status_code == 200
    problem(client.patch(one, json=sent, headers={"Sec-Fetch-Site": "cross-site"}), 403, "csrf.cross_site")
    problem(client.patch(one, json=sent, headers={"Origin": "https://evil.test"}), 403, "csrf.cross_site")


def test_with_a_token_and_a_cookie_the_token_alone_counts(house: House) -> None:
    """Whoever's the cookie is; and a token that is none is not made good by a cookie that is."""
    token = issued(house.browser("guest"), permissions=["media:read:own"])
    both = house.browser("keeper")
    both.headers["Authorization"] = f"Bearer {token}"
    assert both.get("/api/v1/me").json()["data"]["name"] == "guest"
    problem(both.get("/api/v1/admin/users"), 403, "access.denied")
    problem(both.get("/api/v1/account/devices"), 403, "access.denied")
    for wrong in (f"Bearer {token[:-1]}", "Bearer", "bearer x y", f"Bearer {token}, Bearer {token}"):
        both.headers["Authorization"] = wrong
        problem(both.get("/api/v1/media"), 401, "authentication.required")
        problem(both.get("/api/v1/account/devices"), 401, "authentication.required")
    # Another scheme is none of ours: the cookie counts.
    both.headers["Authorization"] = "Basic a2VlcGVyOng="
    assert both.get("/api/v1/me").json()["data"]["name"] == "keeper"


def test_of_two_tokens_neither_counts(house: House) -> None:
    """The same twice, or two people's: which one is meant nobody can say."""
    mine, other = issued(house.browser()), issued(house.browser("guest"))
    for pair in ((mine, mine), (mine, other), (mine, "x")):
        client = script(house, *pair)
        assert len(client.headers.get_list("authorization")) == 2
        refused(client.get("/api/v1/media"))


@pytest.mark.parametrize("place", ["access_token={}", "token={}", "authorization=Bearer%20{}"])
def test_a_token_is_read_from_nowhere_else(house: House, place: str) -> None:
    """Not from the query, which other logs keep, nor from a cookie, which browsers send by themselves."""
    token = issued(house.browser())
    assert house.browser(None).get(f"/api/v1/media?{place.format(token)}").status_code in {401, 422}
    cookie = place.format(token).replace("%20", " ")
    refused(house.browser(None).get("/api/v1/media", headers={"Cookie": cookie}), sent=False)


# How it ends


def test_a_token_ends_when_it_was_said_to(timed: House, clock: FakeClock) -> None:
    """A second before it is good; from then on it is nobody's, and not listed."""
    owner = timed.browser()
    client = script(timed, issued(owner, days=1))
    clock.advance(DAY - 1)
    assert client.get("/api/v1/media").status_code == 200
    clock.advance(1)
    refused(client.get("/api/v1/media"))
    assert timed.browser().get(TOKENS).json()["data"] == []


def test_a_revoked_token_is_nobody_s_from_then_on(any_house: House) -> None:
    """The other ones stay; ended twice it is 404, and so is another user's."""
    owner = any_house.browser()
    ended, other = script(any_house, issued(owner)), script(any_house, issued(owner))
    assert [client.get("/api/v1/media").status_code for client in (ended, other)] == [200, 200]
    name = owner.get(TOKENS).json()["data"][1]["id"]  # the newest comes first
    problem(any_house.browser("guest").delete(f"{TOKENS}/{name}"), 404, "token.not_found")
    assert ended.get("/api/v1/media").status_code == 200
    assert owner.delete(f"{TOKENS}/{name}").status_code == 204
    refused(ended.get("/api/v1/media"))
    assert other.get("/api/v1/media").status_code == 200
    problem(owner.delete(f"{TOKENS}/{name}"), 404, "token.not_found")


@pytest.mark.parametrize("name", ["x", "%00", "é", "a" * 5000, "0" * 16])
def test_a_token_that_is_none_cannot_be_revoked(visitor: Browser, name: str) -> None:
    """However odd its name."""
    assert 400 <= visitor.delete(f"{TOKENS}/{name}").status_code < 500


def test_a_tampered_token_is_nobody_s(house: House, visitor: Browser) -> None:
    """Another letter anywhere, a piece of it, another user's secret behind this id."""
    token, other = issued(visitor), issued(house.browser("guest"))
    turned = [token[:at] + ("x" if token[at] != "x" else "y") + token[at + 1 :] for at in range(3, len(token), 7)]
    for wrong in (*turned, token[:-1], token + "0", token.swapcase(), token[:20] + other[20:], "pm_", "null"):
        refused(script(house, wrong).get("/api/v1/media"))
    assert script(house, token).get("/api/v1/media").status_code == 200


def test_a_token_of_a_suspended_user_may_nothing_until_they_may_again(house: House) -> None:
    """The role counts that they have now."""
    client, keeper = script(house, issued(house.browser("guest"))), house.browser("keeper")
    path = f"/api/v1/admin/users/{house.user_id('guest')}/roles/user"
    assert keeper.delete(path).status_code == 200
    problem(client.get("/api/v1/media"), 403, "access.denied")
    assert client.get("/api/v1/me").json()["data"]["roles"] == []
    assert keeper.put(path).status_code == 200
    assert client.get("/api/v1/media").status_code == 200


def test_a_token_of_an_account_that_is_gone_is_nobody_s(house: House) -> None:
    """There is no account of that number any more."""
    token = issued(house.browser("guest"))
    with house.application.stack.database.write() as tx:
        tx.execute(update(access_tokens).values(user_id="999999"))
    refused(script(house, token).get("/api/v1/media"))


def test_the_owner_sees_that_a_token_was_used(timed: House, clock: FakeClock) -> None:
    """To the minute; the list is how one finds out which are not needed."""
    owner = timed.browser()
    script(timed, issued(owner)).get("/api/v1/media")
    timed.application.stack.security.access_tokens.flush()
    (about,) = owner.get(TOKENS).json()["data"]
    assert datetime.fromisoformat(about["last_used_at"]) <= clock.now


# Secrets


def everything_kept(house: House) -> str:
    """All that the database holds, as one text."""
    metadata = MetaData()
    with house.application.stack.database.read() as unit:
        metadata.reflect(unit.connection)
        return "\n".join(str(tuple(row)) for table in metadata.tables.values() for row in unit.execute(select(table)))


def test_no_token_is_logged_or_kept(house: House, visitor: Browser, caplog: pytest.LogCaptureFixture) -> None:
    """Good, wrong, doubled, revoked, or in the query as others take it: no record and no row holds the text of one."""
    caplog.set_level(logging.DEBUG)
    token, other = issued(visitor, permissions=["media:read:own"]), issued(visitor)
    wrong = token[:-8] + ("x" * 8)
    script(house, token).get("/api/v1/media")
    script(house, token).get(TOKENS)
    script(house, token, other).get("/api/v1/media")
    script(house, wrong).get("/api/v1/media")
    script(house, token).get("/api/v1/media", params={"access_token": other})
    script(house, token).patch("/api/v1/media/1", content=json.dumps({"title": other}))
    for about in visitor.get(TOKENS).json()["data"]:
        visitor.delete(f"{TOKENS}/{about['id']}")
    script(house, token).get("/api/v1/media")
    house.application.stack.security.access_tokens.flush()
    house.application.stack.security.audit.flush()
    ours = [record for record in caplog.records if record.name != "httpx"]  # which is the client
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in ours)
    assert "security.access_token.refused" in logged
    assert "security.access_token.issued" in logged
    kept = everything_kept(house)
    assert "backup at night" in kept
    secrets = [part for text in (token, other, wrong) for part in (text, text[20:])]
    assert [each for each in secrets if each in logged or each in kept] == []


@pytest.mark.parametrize("place", ["media?q={}", "media/{}", "tokens/{}"])
def test_a_token_that_was_put_in_the_wrong_place_is_not_logged(
    house: House, visitor: Browser, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    """What looks like one is masked, whatever it is called."""
    caplog.set_level(logging.DEBUG)
    token = issued(visitor)
    assert visitor.request("DELETE" if "tokens" in place else "GET", f"/api/v1/{place.format(token)}").status_code < 500
    lines = [record for record in caplog.records if record.getMessage() == "request"]
    shown = [scrub(f"{record.getMessage()} {record.__dict__}") for record in lines]
    assert shown
    assert [line for line in shown if token[20:] in line] == []


def test_what_scanners_look_for_is_what_a_token_is(visitor: Browser) -> None:
    """The published pattern finds one in a text."""
    found: Any = re.search(PATTERN, f"curl -H 'Authorization: Bearer {(token := issued(visitor))}'")
    assert found[0] == token
