"""Each example keeps the same promises, asked through its framework's own client."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from tests.integrations.sites import SITES, Site

CANARY = "hunter2"

every = pytest.mark.parametrize("site", SITES, indirect=True)
with_routes = pytest.mark.parametrize("site", [kind for kind in SITES if kind not in {"asgi", "wsgi"}], indirect=True)


def dressed(headers: Any) -> bool:
    """Whether a response carries what the pipeline gives each."""
    return bool(headers["x-content-type-options"] == "nosniff" and headers["x-request-id"])


@every
def test_a_request_is_named_and_logged(site: Site, records: Any) -> None:
    """The application and the client learn the request's id, browsers what they may do, the access log the request."""
    reply = site("GET", "/", headers={"x-request-id": "r-1"})
    assert (reply.status, reply.json["request"], reply.headers["x-request-id"]) == (200, "r-1", "r-1")
    assert "default-src 'self'" in reply.headers["content-security-policy"]
    (record,) = records.named("request")
    assert (record["path"], record["status"], record["request_id"]) == ("/", 200, "r-1")
    assert record["bytes"] == len(reply.body)
    assert UUID(site("GET", "/visits").headers["x-request-id"]).version == 7


@every
def test_a_session_goes_round(site: Site) -> None:
    """The client's cookie jar keeps the session, for async and sync views alike."""
    first, second, third = site("GET", "/"), site("GET", "/"), site("GET", "/visits")
    assert [reply.json["visits"] for reply in (first, second, third)] == [1, 2, 2]
    assert "__Host-session=" in first.headers["set-cookie"]
    assert "set-cookie" not in third.headers
    assert (third.headers["cache-control"], third.headers["vary"]) == ("no-store", "Cookie")


@every
def test_an_exception_tells_nothing(site: Site, records: Any) -> None:
    """Given a view that fails, the answer is a problem document without its text, and one record tells it."""
    reply = site("GET", "/broken", headers={"x-request-id": "r-2"})
    assert (reply.status, reply.headers["content-type"]) == (500, "application/problem+json")
    assert (reply.json["code"], reply.json["request_id"]) == ("internal", "r-2")
    assert dressed(reply.headers)
    assert CANARY.encode() not in reply.body
    (record,) = records.at_least("warning", "error", "critical")
    assert (record["event"], record["error"], record["request_id"]) == ("request failed", "RuntimeError", "r-2")
    assert record["exception"]["type"] == "RuntimeError"


@every
def test_invalid_input_is_422(site: Site, records: Any) -> None:
    """Given input against the rules, the client learns which field, and the log holds no error of ours."""
    kind = {"content-type": "application/json"}
    reply = site("POST", "/posters", body=b'{"copies": 2}', headers=kind)
    assert (reply.status, reply.headers["content-type"]) == (422, "application/problem+json")
    assert reply.json["errors"] == [{"pointer": "/title", "code": "missing", "message": "is required"}]
    assert dressed(reply.headers)
    assert not records.at_least("error", "critical")
    made = site("POST", "/posters", body=json.dumps({"title": "Fair"}).encode(), headers=kind)
    assert (made.status, made.json) == (201, {"title": "Fair", "copies": 1})


@every
def test_a_missing_page_keeps_the_headers(site: Site) -> None:
    """The framework's own 404 leaves as it is, with what the pipeline adds."""
    reply = site("GET", "/absent")
    assert reply.status == 404
    assert "application/problem+json" not in reply.headers["content-type"]
    assert dressed(reply.headers)


@every
def test_a_stream_arrives_whole(site: Site) -> None:
    """A response in chunks is the same inside a pipeline."""
    reply = site("GET", "/export")
    assert (reply.status, reply.body) == (200, b"poster 0\nposter 1\nposter 2\n")
    assert dressed(reply.headers)


@every
def test_another_site_changes_nothing(site: Site, records: Any) -> None:
    """Given a POST that a browser makes for another site, it is 403 and the view is not called."""
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        reply = site("POST", "/posters", body=b'{"title": "x"}', headers=headers)
        assert (reply.status, reply.json["code"]) == (403, "csrf.cross_site")
        assert dressed(reply.headers)
    assert not records.at_least("error", "critical")


@every
def test_a_large_body_is_413(site: Site) -> None:
    """Given a body over the limit, it is 413."""
    reply = site("POST", "/posters", body=b"x" * 1_000_001, headers={"content-type": "application/json"})
    assert (reply.status, reply.json["code"]) == (413, "data.too_large")
    assert dressed(reply.headers)


@every
def test_what_a_view_logs_carries_the_request(site: Site, records: Any) -> None:
    """The request's context reaches views, in whatever thread or task the framework runs them."""
    site("GET", "/visits", headers={"x-request-id": "r-3"})
    assert records.named("counting")[0]["request_id"] == "r-3"


@with_routes
def test_a_route_with_a_number(site: Site) -> None:
    """Routing is the framework's."""
    assert site("GET", "/posters/7").json == {"id": 7}


@pytest.mark.parametrize("site", ["starlette", "fastapi"], indirect=True)
def test_background_tasks_run(site: Site, records: Any) -> None:
    """What a response leaves behind is done, in the request's context."""
    kind = {"content-type": "application/json", "x-request-id": "r-4"}
    assert site("POST", "/posters", body=b'{"title": "Fair"}', headers=kind).status == 201
    (record,) = records.named("printed")
    assert (record["title"], record["request_id"]) == ("Fair", "r-4")


@pytest.mark.parametrize("site", [kind for kind in SITES if "django" in kind], indirect=True)
def test_an_async_view_of_django_fails_alike(site: Site, records: Any) -> None:
    """Whether a view is sync or async, under either handler, its exception reaches the pipeline once."""
    reply = site("GET", "/broken-later")
    assert (reply.status, reply.json["code"]) == (500, "internal")
    assert len(records.at_least("warning", "error", "critical")) == 1
