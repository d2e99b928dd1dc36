"""The HTTP interface: what each endpoint gives, and what it refuses without leaving a trace."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

import media_library
from media_library import library
from media_library.hostile import hostile_files
from media_library.posters import POSTERS, draw
from postrmagic_core.api.listing import RowPage
from tests.app.house import Browser, House, small

HOSTILE = hostile_files()
# Some are refused before they are looked at: by the limit of the body, by that of a header inside the form.
REFUSED_EARLY = {"too large": (413, "data.too_large")}
CONDITIONAL = {"/api/v1/media", "/api/v1/tags"}
DEMO_LOGIN = {"name": "demo", "password": "posters-for-everyone"}


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document that ``response`` must be."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    document: dict[str, Any] = response.json()
    assert (document["status"], document["code"]) == (status, code)
    return document


# Logging in


def test_a_session_opens_with_a_new_id_and_ends_for_good(house: House) -> None:
    """Login, who am I, logout, and the old cookie is worth nothing."""
    visitor = house.browser(None)
    problem(visitor.get("/api/v1/me"), 401, "authentication.required")
    login = visitor.post("/api/v1/login", json=DEMO_LOGIN)
    assert login.json()["data"]["name"] == "demo"
    session, device = login.headers.get_list("set-cookie")
    careful = {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"}
    assert {part.strip() for part in session.split(";")[1:]} == careful
    assert {part.strip() for part in device.split(";")[1:]} == careful | {"Max-Age=7776000"}
    assert session.startswith("__Host-session=")
    assert device.startswith("__Host-device=")
    cookie = visitor.cookies["__Host-session"]
    assert visitor.get("/api/v1/me").json()["data"]["name"] == "demo"
    assert visitor.post("/api/v1/logout").status_code == 204
    problem(visitor.get("/api/v1/me", headers={"Cookie": f"__Host-session={cookie}"}), 401, "authentication.required")


@pytest.mark.parametrize("name", ["demo", "nobody", "demo\x00", "' OR 1=1 --"])
def test_a_wrong_password_and_an_unknown_name_look_the_same(house: House, name: str) -> None:
    """The answer tells nothing about which names exist."""
    answer = house.browser(None).post("/api/v1/login", json={"name": name, "password": "wrong"})
    assert problem(answer, 401, "login.refused")["title"] == "Name or password is wrong"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/me"),
        ("GET", "/api/v1/media"),
        ("POST", "/api/v1/media"),
        ("GET", "/api/v1/media/1"),
        ("PATCH", "/api/v1/media/1"),
        ("DELETE", "/api/v1/media/1"),
        ("GET", "/api/v1/media/1/file"),
        ("GET", "/api/v1/media/1/thumbnail"),
        ("GET", "/api/v1/tags"),
        ("GET", "/api/v1/stats"),
    ],
)
def test_without_a_session_nothing_is_told(house: House, method: str, path: str) -> None:
    """401 before anything of the request is looked at."""
    problem(house.browser(None).request(method, path), 401, "authentication.required")


@pytest.mark.parametrize("path", ["/api/v1/login", "/api/v1/media/1"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_json_is_expected_where_json_is_meant(visitor: Browser, path: str, kind: str) -> None:
    """What a form of another site could send is refused before it is read."""
    method = "POST" if path.endswith("login") else "PATCH"
    answer = visitor.request(method, path, content=json.dumps(DEMO_LOGIN), headers={"Content-Type": kind})
    problem(answer, 415, "body.unsupported_type")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"name": 1, "password": "x"}', b"\xff", b'{"a":NaN}'])
def test_a_body_that_is_no_login_is_refused(house: House, body: bytes) -> None:
    """The fields at fault are pointed at, the input is not repeated."""
    answer = house.browser(None).post("/api/v1/login", content=body, headers={"Content-Type": "application/json"})
    assert problem(answer, 422, "data.invalid")["errors"]


def test_a_json_body_is_small(visitor: Browser) -> None:
    """Beyond 64 KiB nothing more is read."""
    problem(visitor.patch("/api/v1/media/1", json={"title": "a" * 70_000}), 413, "data.too_large")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_may_change_nothing(visitor: Browser, site: str) -> None:
    """By Fetch Metadata, whatever the cookie says."""
    problem(visitor.post("/api/v1/logout", headers={"Sec-Fetch-Site": site}), 403, "csrf.cross_site")
    assert visitor.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/v1/media", "/api/v1/nowhere", "/static/app.js"])
def test_every_answer_tells_the_browser_to_be_careful(house: House, path: str) -> None:
    """No sniffing, nothing from elsewhere, no frames; and a request's id."""
    headers = house.browser(None).get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/media", "GET, HEAD, POST"),
        ("POST", "/api/v1/me", "GET, HEAD"),
        ("GET", "/api/v1/login", "POST"),
        ("QUERY", "/api/v1/login", "POST"),
    ],
)
def test_a_method_that_a_path_does_not_have_is_told_those_it_has(
    house: House, visitor: Browser, method: str, path: str, allowed: str
) -> None:
    """405 and Allow, for whoever asks: the specification says the same."""
    for client in (visitor, house.browser(None)):
        answer = client.request(method, path)
        problem(answer, 405, "http.405")
        assert sorted(answer.headers["allow"].split(", ")) == allowed.split(", ")


@pytest.mark.parametrize(
    ("method", "path"), [("TRACE", "/static/app.js"), ("GET", "/api/v1/nowhere"), ("QUERY", "/api/v1/nowhere")]
)
def test_what_no_rule_names_is_refused(visitor: Browser, method: str, path: str) -> None:
    """It is denied before it is looked for; nothing of the path is told."""
    answer = visitor.request(method, path)
    assert answer.status_code in {401, 403}
    problem(answer, answer.status_code, "access.denied" if path.startswith("/api") else "authentication.required")


def test_the_page_is_only_read(visitor: Browser) -> None:
    """Everybody may ask for it, and by no other method."""
    problem(visitor.request("TRACE", "/"), 405, "http.405")


# Uploading


def test_an_upload_is_shown_with_links_and_without_inner_names(visitor: Browser) -> None:
    """201 with a location; no digest and no user in it."""
    data = draw(POSTERS[0])
    answer = visitor.upload("jazz_at-dusk.jpeg", data)
    item = answer.json()["data"]
    assert (answer.status_code, answer.headers["location"]) == (201, f"/api/v1/media/{item['id']}")
    assert item == visitor.get(answer.headers["location"]).json()["data"]
    assert (item["title"], item["filename"], item["size"]) == ("jazz at dusk", "jazz_at-dusk.jpeg", len(data))
    assert (item["type"], item["width"], item["height"]) == ("image/jpeg", 900, 1200)
    assert (item["tags"], item["thumbnail"], item["colours"], item["orientation"]) == ([], None, None, None)
    assert hashlib.sha256(data).hexdigest() not in answer.text


def test_the_same_file_again_is_the_same_medium(house: House, visitor: Browser) -> None:
    """200 and the id of the first; nothing more is stored or charged."""
    data = small()
    first = visitor.added(data)
    before = house.left
    again = visitor.upload("other.jpeg", data, title="Other")
    assert (again.status_code, again.json()["data"]) == (200, first)
    assert house.left == before


@pytest.mark.parametrize(("name", "data", "why"), HOSTILE, ids=[why for _, _, why in HOSTILE])
def test_a_hostile_file_is_refused_and_leaves_nothing(
    house: House, visitor: Browser, name: str, data: bytes, why: str
) -> None:
    """A short problem document; no file, row, job or event, and nothing charged."""
    before, charged = house.left, visitor.get("/api/v1/stats").json()["data"]
    answer = visitor.upload(name, data)
    status, code = REFUSED_EARLY.get(why, (422, "data.invalid"))
    problem(answer, status, code)
    assert len(answer.content) < 1000
    assert house.left == before
    assert visitor.get("/api/v1/stats").json()["data"] == charged


def test_a_file_just_over_the_limit_is_refused_like_a_much_larger_one(house: House, visitor: Browser) -> None:
    """The form has room for its boundaries, the file has not."""
    before = house.left
    answer = visitor.upload("big.jpeg", draw(POSTERS[0]).ljust(20 * 1024 * 1024 + 1, b"\0"))
    assert problem(answer, 422, "data.invalid")["errors"][0]["code"] == "upload.too_large"
    assert house.left == before


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/cron.d/poster.jpg", "poster.jpg"),
        ("C:\\fakepath\\poster.jpg", "poster.jpg"),
        ("n" * 300 + ".jpg", None),
    ],
)
def test_a_name_is_made_fit_to_be_shown(visitor: Browser, given: str, shown: str | None) -> None:
    """Of a path the last part, of a long name its beginning; where the file lies, it says nothing of."""
    name = visitor.upload(given, small()).json()["data"]["filename"]
    assert len(name) <= 255
    assert name == (shown or name)
    assert name.endswith(".jpg")


def test_a_name_must_fit_what_the_file_is(house: House, visitor: Browser) -> None:
    """A JPEG called .png is no honest upload."""
    before = house.left
    answer = visitor.upload("poster.png", small())
    assert problem(answer, 422, "data.invalid")["errors"][0]["code"] == "upload.name_mismatch"
    assert house.left == before


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"json": {"file": "x"}}, 415),
        ({"data": {"file": "x"}}, 415),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 415),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 422),
        ({"files": {"other": ("a.jpg", b"x")}}, 422),
        ({"files": [("file", ("a.jpg", b"x")), ("file", ("b.jpg", b"y"))]}, 422),
        ({"files": {"file": ("a.jpg", b"x")}, "data": {"title": "t" * 20_000}}, 422),
        ({"files": {"file": ("a.jpg", b"x")}, "data": {"title": "one\ntwo"}}, 422),
    ],
)
def test_what_is_no_upload_form_is_refused(
    house: House, visitor: Browser, options: dict[str, Any], status: int
) -> None:
    """One file in a multipart form, and a short title of one line."""
    before = house.left
    answer = visitor.post("/api/v1/media", **options)
    problem(answer, status, answer.json()["code"])
    assert house.left == before


def test_a_full_quota_is_told_and_nothing_is_stored(house: House, visitor: Browser) -> None:
    """413 with a code of its own."""
    house.limit(1000)
    before = house.left
    problem(visitor.upload("poster.jpeg", small()), 413, "quota.exceeded")
    assert house.left == before


# Reading


def test_a_file_is_a_download_under_its_first_name(visitor: Browser) -> None:
    """Byte for byte, never shown as a page of this site; a part of it can be asked for."""
    data = small()
    item = visitor.added(data, name="Plakat „Straße“.jpeg")
    answer = visitor.get(item["file"])
    assert answer.content == data
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "filename*=UTF-8''Plakat%20" in answer.headers["content-disposition"]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    part = visitor.get(item["file"], headers={"Range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, data[2:6])


def test_a_thumbnail_that_is_not_made_yet_is_told_so(visitor: Browser) -> None:
    """404 with a code that says: ask again."""
    item = visitor.added()
    problem(visitor.get(f"/api/v1/media/{item['id']}/thumbnail"), 404, "thumbnail.not_ready")


def test_pages_follow_one_another_without_gap_or_repetition(house: House, visitor: Browser) -> None:
    """Newest first; what is added meanwhile does not move the next page."""
    expected = [house.add(small()).media_id for _ in range(26)][::-1]
    first = visitor.get("/api/v1/media").json()
    house.add(small())
    second = visitor.get("/api/v1/media", params={"after": first["next"]}).json()
    assert [item["id"] for item in first["data"] + second["data"]] == expected
    assert (len(first["data"]), second["next"]) == (24, None)


@pytest.mark.parametrize("cursor", ["x", "AAAA", "MS4y.", "LTEuMg", "é", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OS4x"])
def test_a_cursor_of_anybody_else_is_refused(visitor: Browser, cursor: str) -> None:
    """422, pointing at it."""
    document = problem(visitor.get("/api/v1/media", params={"after": cursor}), 422, "data.invalid")
    assert document["errors"][0]["code"] == "cursor.invalid"


@pytest.mark.parametrize("media_id", ["0", "999", "-1", "1.0", "x", "٣", "9" * 18, "9" * 19, "9" * 5000])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_id_of_nothing_is_404(visitor: Browser, method: str, media_id: str) -> None:
    """However long or odd it is."""
    problem(visitor.request(method, f"/api/v1/media/{media_id}"), 404, "media.not_found")


def test_a_path_that_is_none_is_400(visitor: Browser) -> None:
    """Before anything looks at it."""
    problem(visitor.get("/api/v1/media/%00"), 400, "request.malformed")


def test_another_users_medium_is_404_like_one_that_is_not(house: House, visitor: Browser) -> None:
    """Under every path and method; and nothing of it is listed, counted or found."""
    item = visitor.added()
    stranger = house.browser("guest")
    before = house.left
    one = f"/api/v1/media/{item['id']}"
    for method, path in (("GET", one), ("GET", one + "/file"), ("GET", one + "/thumbnail"), ("DELETE", one)):
        problem(stranger.request(method, path), 404, "media.not_found")
    problem(stranger.patch(one, json={"title": "mine"}), 404, "media.not_found")
    assert stranger.get("/api/v1/media").json()["data"] == []
    assert stranger.get("/api/v1/stats").json()["data"]["media"] == 0
    assert house.left | {"pm_audit": 0} == before | {"pm_audit": 0}  # where it is told that somebody tried


def test_two_users_hold_one_file_and_each_deletes_only_his_own(house: House, visitor: Browser) -> None:
    """The file is stored once and stays as long as somebody holds it."""
    data = small()
    guest = house.browser("guest")
    mine, theirs = visitor.added(data), guest.added(data)
    files = house.left["files"]
    assert visitor.delete(f"/api/v1/media/{mine['id']}").status_code == 204
    assert house.left["files"] == files
    assert guest.get(theirs["file"]).content == data
    problem(visitor.get(mine["file"]), 404, "media.not_found")


def test_whether_the_site_is_well_is_everybody_s_and_how_is_not(house: House) -> None:
    """Without a session: one word for load balancers, and no figure for a stranger."""
    browser = house.browser(None, address="192.0.2.7")
    assert (browser.get("/livez").json(), browser.get("/readyz").json()) == ({"status": "ok"}, {"status": "ok"})
    assert browser.get("/metrics").status_code == 403
    here = house.browser(None)
    assert here.get("/readyz").json()["checks"].keys() == {"database", "cache", "sessions"}
    assert b"postrmagic_build_info{" in here.get("/metrics").content


# Changing


def test_a_change_leaves_what_it_does_not_name(visitor: Browser) -> None:
    """Title and tags change apart; tags come in one spelling, sorted, each once."""
    one = f"/api/v1/media/{visitor.added()['id']}"
    tagged = visitor.patch(one, json={"tags": ["Night", "  night ", "JAZZ"]}).json()["data"]
    named = visitor.patch(one, json={"title": "Jazz at Dusk"}).json()["data"]
    assert (tagged["tags"], tagged["title"]) == (["jazz", "night"], "poster")
    assert (named["tags"], named["title"]) == (["jazz", "night"], "Jazz at Dusk")
    assert visitor.patch(one, json={"tags": []}).json()["data"]["tags"] == []
    assert visitor.patch(one, json={}).json()["data"]["title"] == "Jazz at Dusk"


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""},
        {"title": "a" * 201},
        {"title": 7},
        {"title": "one\ntwo"},
        {"tags": "jazz"},
        {"tags": [""]},
        {"tags": ["x" * 41]},
        {"tags": [str(number) for number in range(21)]},
        {"user_id": 2},
        {"title": "fine", "digest": "00"},
    ],
)
def test_a_change_that_is_not_allowed_changes_nothing(visitor: Browser, change: dict[str, Any]) -> None:
    """Unknown fields are refused, not ignored."""
    one = f"/api/v1/media/{visitor.added()['id']}"
    before = visitor.get(one).json()
    assert problem(visitor.patch(one, json=change), 422, "data.invalid")["errors"]
    assert visitor.get(one).json() == before


def test_lists_searches_tags_and_counts_follow_every_change(visitor: Browser) -> None:
    """The cache never shows the state before."""

    def titles(query: str) -> list[str]:
        return [item["title"] for item in visitor.get("/api/v1/media", params={"q": query}).json()["data"]]

    one = f"/api/v1/media/{visitor.added()['id']}"
    assert titles("") == ["poster"]
    visitor.patch(one, json={"title": "Open Air Opera", "tags": ["music"]})
    assert (titles(""), titles("oper*"), titles("-music tag:music")) == (["Open Air Opera"],) * 3
    assert visitor.get("/api/v1/tags").json()["data"] == [{"name": "music", "count": 1}]
    visitor.delete(one)
    assert (titles(""), titles("opera")) == ([], [])
    assert visitor.get("/api/v1/stats").json()["data"] | {"quota_bytes": 0} == {
        "media": 0,
        "bytes": 0,
        "quota_bytes": 0,
        "tags": [],
        "activity": None,
        "types": None,
        "colours": None,
        "refreshed_at": None,
    }


# What leaves

CANARY = "c4n4ry-4711"
HOME = Path(media_library.__file__ or "").parent
SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|createContextualFragment"
    r"|DOMParser|setHTMLUnsafe|javascript:|set(?:Timeout|Interval)\(\s*[\"'`]|setAttribute\(\s*[\"'`](?:on|style|src)"
    r"|\son[a-z]+\s*=\s*[\"']|\.cssText|\bstyle\s*=\s*[\"']"
)


def test_a_column_that_a_row_gets_does_not_leave(
    house: House, visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given rows of media, accounts and notifications with a column more, no answer tells of it."""
    described = library.Library._described
    monkeypatch.setattr(
        library.Library, "_described", lambda *given: [one | {"note": CANARY} for one in described(*given)]
    )
    medium = visitor.added()
    row = house.application.library.get(house.user_id(), medium["id"])
    assert row["note"] == CANARY
    listed, latest = house.application.accounts.listed, house.application.notifications.latest
    told = {"kind": "posters_ready", "amount": 1, "changed_us": 0, "read_us": None, "note": CANARY, "id": 4711}
    monkeypatch.setattr(
        type(house.application.accounts),
        "listed",
        lambda self, asked: RowPage([one | {"password_hash": CANARY} for one in listed(asked).rows], None),
    )
    monkeypatch.setattr(house.application.notifications, "latest", lambda user_id: [*latest(user_id), told])
    answers = [
        visitor.get(path) for path in ("/api/v1/media", f"/api/v1/media/{medium['id']}", "/api/v1/notifications")
    ]
    answers.append(house.browser("keeper").get("/api/v1/admin/users"))
    for answer in answers:
        assert answer.status_code == 200
        assert CANARY not in answer.text
    assert answers[2].json()["data"][-1]["message"] == "A poster is ready."
    fields = ["id", "title", "filename", "size", "type", "width", "height", "tags", "colours", "orientation"]
    assert list(answers[1].json()["data"]) == [*fields, "created_at", "file", "thumbnail"]


@pytest.mark.parametrize("path", ["/api/v1/media", "/api/v1/tags", "/api/v1/stats", "/api/v1/me"])
def test_an_answer_says_that_it_is_json_and_nobody_s_to_keep(visitor: Browser, path: str) -> None:
    """Exactly application/json, not to be sniffed, not to be stored; and no page's policy lets inline scripts run.

    What depends on a session is no cache's to keep, with an ETag or without: it may be another user's a moment later.
    """
    for headers in (visitor.get(path).headers, visitor.get(path).headers):
        assert headers.get_list("content-type") == ["application/json"]
        assert headers.get_list("x-content-type-options") == ["nosniff"]
        assert headers.get_list("cache-control") == ["no-store"]
        assert ("etag" in headers) is (path in CONDITIONAL)
        assert "Cookie" in headers["vary"]
    for headers in (visitor.get(path).headers, visitor.get("/").headers):
        assert "unsafe" not in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/api/v1/media", "/api/v1/tags", "/api/v1/stats", "/api/v1/me"])
def test_a_script_with_a_token_may_keep_what_it_asks_for_again(house: House, path: str) -> None:
    """Its own answers for itself alone, and never without asking; what has no ETag it does not keep."""
    issued = house.application.stack.security.access_tokens.issue(str(house.user_id()), "script")
    script = house.browser(None)
    headers = script.get(path, headers={"Authorization": f"Bearer {issued.token}"}).headers
    assert headers.get_list("cache-control") == ["private, no-cache" if path in CONDITIONAL else "no-store"]
    assert ("etag" in headers) is (path in CONDITIONAL)
    assert "set-cookie" not in headers


def test_an_answer_that_does_not_fit_its_model_is_an_error_of_ours(
    visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a row whose title is no text, the answer is 500 without a word of it, not the row."""
    medium = visitor.added()
    monkeypatch.setattr(library.Library, "_described", lambda *_: [{"id": 1, "title": CANARY.encode()}])
    visitor.patch(f"/api/v1/media/{medium['id']}", json={"title": "new"})
    answer = visitor.get("/api/v1/media")
    problem(answer, 500, "internal")
    assert CANARY not in answer.text


@pytest.mark.parametrize("module", ["media_api.py", "account_api.py", "admin_api.py", "token_api.py"])
def test_every_answer_leaves_by_a_model(module: str) -> None:
    """No handler writes JSON itself: what is no answer by a model is a file, a problem document or empty."""
    text = (HOME / module).read_text(encoding="utf-8")
    assert not re.search(r"json\.dumps|\w*Response\(|Answer\(|\.body\(\)", text)


@pytest.mark.parametrize("name", sorted(path.name for path in (HOME / "static").iterdir()))
def test_the_page_writes_no_markup_and_runs_no_text(name: str) -> None:
    """None of its files holds a way from text to markup, script or style, nor an inline script, handler or style."""
    text = (HOME / "static" / name).read_text(encoding="utf-8")
    assert SINKS.findall(text) == []
    if name.endswith(".html"):
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
        assert "<style" not in text


@pytest.mark.parametrize(
    "line",
    [
        "x.innerHTML = y",
        "eval(x)",
        "setTimeout('x')",
        '<a onclick="x">',
        "<p style='x'>",
        'e.setAttribute("onclick", x)',
    ],
)
def test_a_sink_would_be_found(line: str) -> None:
    """The control of the search."""
    assert SINKS.search(line)
