"""Versions of the media library's interface: by the path, by a header, and what every answer says of it."""

from __future__ import annotations

import pytest

from media_library.specification import SPECIFICATION
from tests.app.house import Browser, House, small
from tests.app.test_api import DEMO_LOGIN, problem

ONE = {"API-Version": "1"}


def test_a_version_is_asked_for_by_path_or_by_header(house: House, visitor: Browser) -> None:
    """Both are answered alike, with and without the other; links name the path."""
    medium = house.add(small()).media_id
    by_path = visitor.get(f"/api/v1/media/{medium}")
    for path, headers in (
        (f"/api/media/{medium}", ONE),
        (f"/api/media/{medium}", {"API-Version": " 1 "}),
        (f"/api/v1/media/{medium}", ONE),
    ):
        answer = visitor.get(path, headers=headers)
        assert (answer.status_code, answer.json()) == (200, by_path.json())
        assert answer.headers["etag"] == by_path.headers["etag"]
    assert by_path.json()["data"]["file"] == f"/api/v1/media/{medium}/file"


def test_what_is_asked_by_header_passes_the_same_guards(house: House) -> None:
    """Roles, other sites, limits and idempotency keys know one path only: that of the version."""
    nobody, guest = house.browser(None), house.browser("guest")
    problem(nobody.get("/api/media", headers=ONE), 401, "authentication.required")
    problem(guest.get("/api/admin/users", headers=ONE), 403, "access.denied")
    problem(guest.get("/api/nowhere", headers=ONE), 403, "access.denied")
    foreign = ONE | {"Sec-Fetch-Site": "cross-site"}
    problem(guest.post("/api/logout", headers=foreign), 403, "csrf.cross_site")
    medium = house.add(small()).media_id
    problem(guest.delete(f"/api/media/{medium}", headers=ONE), 404, "media.not_found")
    keyed = ONE | {"Idempotency-Key": "again"}
    answers = [nobody.post("/api/login", json=DEMO_LOGIN, headers=keyed) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200], [answer.text for answer in answers]
    assert all("idempotency-replayed" not in answer.headers for answer in answers)
    assert len({answer.headers["set-cookie"] for answer in answers}) == 2


def test_the_limit_of_logins_holds_for_both_ways(house: House) -> None:
    """Thirty within a minute from one address, however they are spelt."""
    wrong = {"name": "", "password": ""}
    statuses = []
    for number in range(31):
        path, headers = ("/api/login", ONE) if number % 2 else ("/api/v1/login", {})
        statuses.append(house.browser(None).post(path, json=wrong, headers=headers).status_code)
    assert statuses == [422] * 30 + [429]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/v2/media", {}),
        ("/api/v0/media", {}),
        ("/api/v01/media", {}),
        ("/api/v999999/media", {}),
        ("/api/media", {}),
        ("/api", {}),
        ("/api/", {}),
        ("/api/media", {"API-Version": "2"}),
        ("/api/media", {"API-Version": "v1"}),
        ("/api/media", {"API-Version": ""}),
        ("/api/media", {"API-Version": "1, 1"}),
    ],
)
def test_a_version_there_is_not_is_404(visitor: Browser, path: str, headers: dict[str, str]) -> None:
    """Told which ones there are; to whoever asks, as nothing is asked of anybody yet."""
    document = problem(visitor.get(path, headers=headers), 404, "version.unknown")
    assert "There is: 1." in document["detail"]


@pytest.mark.parametrize("sent", ["2", "0", "x", ""])
def test_path_and_header_must_agree(visitor: Browser, sent: str) -> None:
    """400, and nothing is done."""
    problem(visitor.get("/api/v1/media", headers={"API-Version": sent}), 400, "version.contradicted")
    visitor.post("/api/v1/logout", headers={"API-Version": sent})
    assert visitor.get("/api/v1/me").status_code == 200


def test_every_answer_says_its_version(house: House, visitor: Browser) -> None:
    """Of every operation, whoever asks and whatever comes of it; caches are told that the header counts."""
    nobody = house.browser(None)
    for operation in SPECIFICATION.operations:
        if operation.name == "log_out":
            continue
        path = SPECIFICATION.base + operation.path.replace("{id}", "999999").replace("{role}", "user")
        for client in (nobody, visitor):
            headers = client.request(operation.method, path).headers
            assert headers.get_list("api-version") == ["1"], operation.name
            assert "API-Version" in headers["vary"], operation.name
            assert "deprecation" not in headers
    medium = house.add(small()).media_id
    known = visitor.get(f"/api/v1/media/{medium}").headers["etag"]
    answers = [
        visitor.get(f"/api/v1/media/{medium}", headers={"If-None-Match": known}),
        visitor.get(f"/api/v1/media/{medium}/file"),
        visitor.put("/api/v1/media"),
        visitor.post("/api/v1/logout", headers={"Sec-Fetch-Site": "cross-site"}),
        visitor.get("/api/v1/nowhere"),
        visitor.get("/api/v1/openapi.json"),
        visitor.get("/api/v1/docs"),
    ]
    assert [answer.status_code for answer in answers] == [304, 200, 405, 403, 403, 200, 200]
    assert [answer.headers.get_list("api-version") for answer in answers] == [["1"]] * len(answers)


def test_what_is_none_of_the_interface_has_no_version(visitor: Browser) -> None:
    """The page, its parts, and whether the site is well; asked with a version they are as without."""
    for path in ("/", "/static/app.js", "/readyz", "/problems/"):
        for headers in ({}, {"API-Version": "7"}):
            answer = visitor.get(path, headers=headers)
            assert (answer.status_code, "api-version" in answer.headers) == (200, False), path
