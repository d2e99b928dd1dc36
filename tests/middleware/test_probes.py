"""Probes: alive without asking anybody, ready by what the backends say, figures for those who may see them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from postrmagic_core.errors import BackendUnavailable, ConfigurationError
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.probes import probes
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.trusted_proxies import trusted_proxies
from tests.middleware.test_wsgi import get

TOKEN = "a-token-of-24-characters"
DETAILS = {"status": "degraded", "service": "media", "checks": {"cache": {"ok": False, "ms": 1.5, "error": "x"}}}


class Told:
    """An application that is as it is said to be."""

    def __init__(self, ready: bool = True, error: Exception | None = None) -> None:
        self.ready, self.error = ready, error
        self.asked: list[str] = []

    @property
    def aio(self) -> Awaited:
        """The same, awaitable."""
        return Awaited(self)

    def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """As said."""
        self.asked.append("readiness")
        if self.error is not None:
            raise self.error
        return self.ready, DETAILS

    def scrape(self, accept: str) -> tuple[bytes, str]:
        """One figure."""
        self.asked.append(accept)
        return b"up 1\n", "text/plain; version=0.0.4"


class Awaited:
    """The async face."""

    def __init__(self, told: Told) -> None:
        self._told = told

    async def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """As said."""
        return self._told.readiness()

    async def scrape(self, accept: str) -> tuple[bytes, str]:
        """One figure."""
        return self._told.scrape(accept)


def bearer(token: str) -> list[tuple[bytes, bytes]]:
    """The header with a token."""
    return [(b"authorization", b"Bearer " + token.encode())]


@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)])
def test_ready_is_one_word_to_anybody(ready: bool, status: int, call: Any, answer: Any) -> None:
    """Which backend is away, and what it is called, is nobody's business."""
    app = Pipeline([probes(Told(ready), token=TOKEN)]).asgi(answer(404))
    outcome = call(app, path="/readyz")
    assert (outcome.status, json.loads(outcome.body)) == (status, {"status": "degraded"})
    assert outcome.header("cache-control") == "no-store"
    outcome = call(app, path="/readyz", headers=bearer(TOKEN))
    assert (outcome.status, json.loads(outcome.body)) == (status, DETAILS)


def test_alive_asks_nobody(call: Any, answer: Any) -> None:
    """A database that is away does not come back by restarting what asks it."""
    told = Told(error=BackendUnavailable("away"))
    outcome = call(Pipeline([probes(told)]).asgi(answer(404)), path="/livez")
    assert (outcome.status, json.loads(outcome.body), told.asked) == (200, {"status": "ok"}, [])


@pytest.mark.parametrize(
    "headers", [[], bearer("another-token-of-24-char"), bearer(""), [(b"authorization", f"Basic {TOKEN}".encode())]]
)
def test_figures_are_not_for_everybody(headers: Any, call: Any, answer: Any, records: Any) -> None:
    """Without the token 401, and nothing is read; it is told who tried."""
    told = Told()
    outcome = call(Pipeline([probes(told, token=TOKEN)]).asgi(answer()), path="/metrics", headers=headers)
    assert (outcome.status, told.asked) == (401, [])
    assert [record["code"] for record in records.named("figures refused")] == ["authentication.required"]
    assert outcome.header("www-authenticate") == 'Bearer realm="observability"'


def test_figures_for_who_has_the_token(call: Any, answer: Any) -> None:
    """In the format that is asked for."""
    told = Told()
    headers = [*bearer(TOKEN), (b"accept", b"application/openmetrics-text")]
    outcome = call(Pipeline([probes(told, token=TOKEN)]).asgi(answer()), path="/metrics", headers=headers)
    assert (outcome.status, outcome.body) == (200, b"up 1\n")
    assert outcome.header("content-type") == "text/plain; version=0.0.4"
    assert told.asked == ["application/openmetrics-text"]


@pytest.mark.parametrize(
    ("client", "status"), [("10.1.2.3", 200), ("::ffff:10.1.2.3", 200), ("11.0.0.1", 403), ("unix", 403)]
)
def test_figures_for_a_network(client: str, status: int, call: Any, answer: Any) -> None:
    """By the address that the proxies' layer found; where there is no token, 403 is all that can be said."""
    app = Pipeline([probes(Told(), networks=["10.0.0.0/8", "2001:db8::/32"])]).asgi(answer())
    assert call(app, path="/metrics", client=(client, 1)).status == status


def test_a_header_makes_nobody_a_neighbour(call: Any, answer: Any) -> None:
    """An address in X-Forwarded-For counts only behind a proxy that is trusted."""
    pipeline = Pipeline([trusted_proxies([]), probes(Told(), networks=["10.0.0.0/8"])])
    forged = [(b"x-forwarded-for", b"10.1.2.3")]
    assert call(pipeline.asgi(answer()), path="/metrics", client=("11.0.0.1", 1), headers=forged).status == 403


def test_probes_are_not_logged(call: Any, answer: Any, records: Any) -> None:
    """They come every second: they stand outside the access log, and other requests pass them."""
    app = Pipeline([probes(Told()), request_id(), access_log(), errors()]).asgi(answer())
    for path in ("/livez", "/readyz"):
        assert call(app, path=path).status == 200
    assert call(app, path="/livez/of/the/application").status == 200
    assert [record["path"] for record in records.named("request")] == ["/livez/of/the/application"]


def test_a_check_that_fails_by_itself_is_no_yes(call: Any, answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is 503 without a word of the error, which is logged."""
    outcome = call(Pipeline([probes(Told(error=RuntimeError("s3cret")))]).asgi(answer()), path="/readyz")
    assert outcome.status == 503
    assert b"s3cret" not in outcome.body
    assert "a probe failed" in caplog.text


def test_other_methods_and_places(call: Any, answer: Any) -> None:
    """GET and HEAD alone; beneath ``base`` alone."""
    app = Pipeline([probes(Told(), base="/internal")]).asgi(answer(404))
    assert call(app, path="/internal/livez", method="POST").status == 405
    assert call(app, path="/internal/livez").status == 200
    assert call(app, path="/livez").status == 404


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"path": "/livez"}, 200),
        ({"path": "/livez", "method": "POST"}, 405),
        ({"path": "/readyz"}, 200),
        ({"path": "/metrics"}, 401),
        ({"path": "/metrics", "headers": bearer(TOKEN)}, 200),
    ],
)
def test_no_answer_is_guessed_at_or_kept(call: Any, answer: Any, asked: dict[str, Any], status: int) -> None:
    """Outside the layer that says so of all others, each says it itself, refusals included."""
    told = call(Pipeline([probes(Told(), token=TOKEN)]).asgi(answer(404)), **asked)
    assert told.status == status
    assert (told.header("x-content-type-options"), told.header("cache-control")) == ("nosniff", "no-store")


def test_under_wsgi() -> None:
    """The same without a loop."""

    def empty(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b""]

    app = Pipeline([probes(Told(), token=TOKEN)]).wsgi(empty)
    answer = get(app, PATH_INFO="/readyz", HTTP_AUTHORIZATION=f"Bearer {TOKEN}")
    assert (answer.status[:3], json.loads(b"".join(answer.chunks))) == ("200", DETAILS)
    assert get(app, PATH_INFO="/metrics").status[:3] == "401"


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"token": "short"}, "a token of 16 ASCII characters or more, got 5"),
        ({"token": "tökens-of-sixteen"}, "a token of 16 ASCII characters or more, got 17"),
        ({"networks": ["10.0.0.1/8"]}, "expected networks such as 10.0.0.0/8"),
        ({"base": "internal"}, "expected base to be a path"),
    ],
)
def test_what_cannot_be_meant_is_refused(how: dict[str, Any], told: str) -> None:
    """When the layer is made, not with the first request."""
    with pytest.raises(ConfigurationError, match=told):
        probes(Told(), **how)
