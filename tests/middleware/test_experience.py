"""Page loads and answers: what a page of this site sends is counted, and nothing else is."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page
from sqlalchemy import select

from postrmagic_core._crypto import KeyRing
from postrmagic_core._metrics import Metrics
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendUnavailable, ConfigurationError
from postrmagic_core.integrations._parts import Route
from postrmagic_core.middleware import Middleware, Pipeline
from postrmagic_core.middleware import beacons as policy
from postrmagic_core.middleware.beacons import OTHER, Answered, Buckets, NoBeaconError, Pages
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.experience import experience
from postrmagic_core.middleware.request_metrics import request_metrics
from postrmagic_core.middleware.security_headers import security_headers
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.observability.experience import Experience
from postrmagic_core.observability.tables import feature_uses, survey_answers
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing import FakeClock, until
from postrmagic_core.testing.contracts.middleware import MiddlewareContract
from postrmagic_core.testing.contracts.middleware_rig import Asked, wsgi, wsgi_answering
from tests.chromium import launched
from tests.middleware.test_browser import serving

KEYS = KeyRing(["a7Rk2mQ9xW4vT1pL8sD3fG6hJ0zXcVbN"])
JSON = (b"content-type", b"application/json")
OWN = (b"sec-fetch-site", b"same-origin")
BEACON = {"page": "/media/17", "load": 1200, "first_byte": 80, "lcp": 900.5, "inp": 48, "cls": 0.02}
DAY = 86_400.0


@pytest.fixture
def database(tmp_path: Path) -> Iterator[DatabaseManager]:
    """An open one, with the tables."""
    with DatabaseManager(f"sqlite:///{tmp_path}/app.db") as manager:
        with manager.write() as tx:
            for table in (feature_uses, survey_answers):
                table.create(tx.connection)
        yield manager


@pytest.fixture
def metrics() -> Metrics:
    """Where it is counted."""
    return Metrics()


@pytest.fixture
def clock() -> FakeClock:
    """Time that passes when told."""
    return FakeClock()


@pytest.fixture
def felt(database: DatabaseManager, metrics: Metrics, clock: FakeClock) -> Iterator[Experience]:
    """Who notes it."""
    with Experience(database, KEYS, metrics=metrics, clock=clock) as opened:
        yield opened


@pytest.fixture
def layer(felt: Experience, metrics: Metrics, clock: FakeClock) -> Middleware:
    """The layer, with a page and a question."""
    how: dict[str, Any] = {"survey": "usable", "question": "How well does it serve you?"}
    return experience(felt, metrics=metrics, clock=clock, pages=["/media/{id}", "checkout"], **how)


@pytest.fixture
def app(layer: Middleware, answer: Any) -> Any:
    """An application that says 404 to whatever is not the layer's."""
    return Pipeline([errors(), layer]).asgi(answer(404))


def post(call: Any, app: Any, document: Any, path: str = "/_experience/timing", **options: Any) -> Any:
    """Send it as a page of the site does, as JSON unless it is bytes."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    headers = options.pop("headers", [JSON, OWN])
    given = {"method": "POST", "path": path, "body": (body,), "headers": headers, "client": ("198.51.100.7", 1)}
    return call(app, **{**given, **options})


def beacons(metrics: Metrics) -> dict[str, int]:
    """How many there were, by what became of them."""
    return {dict(labels)["outcome"]: n for name, labels, n in metrics.counters() if name == "page_beacons_total"}


def loads(metrics: Metrics) -> dict[str, int]:
    """Page loads that were counted, by page."""
    return {dict(labels)["page"]: h.count for name, labels, h in metrics.histograms() if name == "page_load_seconds"}


class TestContract(MiddlewareContract):
    """It is a middleware like any other."""

    read_by_it = ("sec-fetch-site", "origin", "content-type", "content-length")

    @pytest.fixture
    def middleware(self, layer: Middleware) -> Middleware:
        """With all that it has."""
        return layer


class TestTiming:
    """One beacon is one page load."""

    def test_a_beacon_is_counted_in_seconds(self, app: Any, call: Any, metrics: Metrics) -> None:
        """Each figure in its histogram, under the page's template."""
        outcome = post(call, app, BEACON)
        assert (outcome.status, outcome.body, outcome.header("cache-control")) == (204, b"", "no-store")
        found = {name: (dict(labels)["page"], h.sum) for name, labels, h in metrics.histograms()}
        assert found == {
            "page_load_seconds": ("/media/{id}", 1.2),
            "page_first_byte_seconds": ("/media/{id}", 0.08),
            "page_lcp_seconds": ("/media/{id}", 0.9005),
            "page_inp_seconds": ("/media/{id}", 0.048),
            "page_layout_shift": ("/media/{id}", 0.02),
        }
        assert beacons(metrics) == {"taken": 1}

    def test_a_browser_may_know_less(self, app: Any, call: Any, metrics: Metrics) -> None:
        """The load is enough."""
        assert post(call, app, {"page": "/", "load": 10}).status == 204
        assert [name for name, _, _ in metrics.histograms()] == ["page_load_seconds"]

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"null",
            b"[]",
            b"{}",
            b'{"page": "/"}',
            b'{"load": 1}',
            b'{"page": 1, "load": 1}',
            b'{"page": "", "load": 1}',
            b'{"page": "/", "load": "1"}',
            b'{"page": "/", "load": true}',
            b'{"page": "/", "load": null}',
            b'{"page": "/", "load": -1}',
            b'{"page": "/", "load": 600001}',
            b'{"page": "/", "load": 1e999}',
            b'{"page": "/", "load": NaN}',
            b'{"page": "/", "load": 1, "cls": 1001}',
            b'{"page": "/", "load": 1, "load": 2}',
            b'{"page": "/", "load": 1, "user": "alice"}',
            b'{"page": "/", "load": [1]}',
            b'{"page": {"a": 1}, "load": 1}',
            b"[" * 2000,
            json.dumps({"page": "/" + "x" * 300, "load": 1}).encode(),
        ],
        ids=lambda body: body[:40],
    )
    def test_what_is_no_beacon_is_400(self, body: bytes, app: Any, call: Any, metrics: Metrics) -> None:
        """And says nothing of what was sent."""
        outcome = post(call, app, body)
        assert (outcome.status, json.loads(outcome.body)["code"]) == (400, "http.400")
        assert (beacons(metrics), loads(metrics)) == ({"invalid": 1}, {})

    def test_what_is_too_large_is_413(self, app: Any, call: Any, metrics: Metrics) -> None:
        """Announced, or found while it is read."""
        announced: dict[str, Any] = {"headers": [JSON, OWN, (b"content-length", b"2049")], "body": ()}
        for options in ({}, announced):
            assert post(call, app, {"page": "/" + "x" * 3000, "load": 1}, **options).status == 413
        assert beacons(metrics) == {"too_large": 2}

    def test_a_client_that_leaves_tells_nothing(self, app: Any, call: Any, metrics: Metrics) -> None:
        """Half a beacon is none."""
        assert post(call, app, b"", body=()).status == 400
        assert beacons(metrics) == {"invalid": 1}

    @pytest.mark.parametrize(
        "headers",
        [
            [],
            [(b"sec-fetch-site", b"cross-site")],
            [(b"sec-fetch-site", b"same-site")],
            [OWN, (b"sec-fetch-site", b"cross-site")],
            [(b"origin", b"https://evil.example"), (b"host", b"shop.example")],
            [(b"origin", b"null"), (b"host", b"shop.example")],
        ],
    )
    def test_another_site_cannot_tell(self, headers: Any, app: Any, call: Any, metrics: Metrics) -> None:
        """Nor what is no browser: nothing is read of it."""
        outcome = post(call, app, BEACON, headers=[JSON, *headers])
        assert (outcome.status, beacons(metrics), loads(metrics)) == (403, {"cross_site": 1}, {})

    def test_an_older_browser_is_believed_by_its_origin(self, app: Any, call: Any) -> None:
        """One that does not send Sec-Fetch-Site."""
        headers = [JSON, (b"origin", b"https://shop.example"), (b"host", b"shop.example")]
        assert post(call, app, BEACON, headers=headers).status == 204

    @pytest.mark.parametrize("kind", [b"text/plain", b"application/x-www-form-urlencoded", b""])
    def test_another_type_is_415(self, kind: bytes, app: Any, call: Any) -> None:
        """Such as a form of any page could send."""
        assert post(call, app, BEACON, headers=[OWN, (b"content-type", kind)]).status == 415

    def test_ten_thousand_pages_are_one(self, felt: Experience, answer: Any, call: Any, metrics: Metrics) -> None:
        """What clients make up makes no series."""
        app = Pipeline([experience(felt, metrics=metrics, per_minute=20_000)]).asgi(answer(404))
        for number in range(1000):
            post(call, app, {"page": f"/{number}", "load": 1})
        pages = Pages([], list, FakeClock())
        assert {pages.of(f"/{number}") for number in range(9000)} == {OTHER}
        assert loads(metrics) == {OTHER: 1000}

    def test_a_flood_is_stopped(self, app: Any, call: Any, metrics: Metrics, clock: FakeClock) -> None:
        """Sixty in a minute of one client; another one, and the next minute, have their own."""
        statuses = [post(call, app, BEACON).status for _ in range(70)]
        assert statuses == [204] * 60 + [429] * 10
        assert post(call, app, BEACON).header("retry-after") == "1"
        assert post(call, app, BEACON, client=("198.51.100.8", 1)).status == 204
        clock.sleep(2)
        assert [post(call, app, BEACON).status for _ in range(3)] == [204, 204, 429]
        assert beacons(metrics) == {"taken": 63, "limited": 12}

    def test_an_ipv6_network_is_one_client(self, app: Any, call: Any) -> None:
        """A host has a whole /64 to choose from."""
        for number in range(60):
            assert post(call, app, BEACON, client=(f"2001:db8::{number:x}", 1)).status == 204
        assert post(call, app, BEACON, client=("2001:db8::ffff", 1)).status == 429
        assert post(call, app, BEACON, client=("2001:db8:0:1::1", 1)).status == 204

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
    def test_it_is_for_posts(self, method: str, app: Any, call: Any) -> None:
        """Others are told so."""
        outcome = post(call, app, b"", method=method)
        assert (outcome.status, outcome.header("allow")) == (405, "POST")

    def test_it_stands_outside_of_what_would_refuse_it(self, layer: Middleware, answer: Any, call: Any) -> None:
        """A beacon has no token; csrf cannot stand outside of the layer."""
        with SessionStore(MemoryStore(), KEYS) as store:
            inner = [sessions(store), layer, csrf(keys=KEYS, token="always")]
            assert post(call, Pipeline([errors(), *inner]).asgi(answer(404)), BEACON).status == 204
            with pytest.raises(ConfigurationError, match="experience must stand outside csrf"):
                Pipeline([errors(), csrf(), layer])

    def test_it_works_under_wsgi(self, layer: Middleware, metrics: Metrics) -> None:
        """The same answers."""
        app = Pipeline([errors(), layer]).wsgi(wsgi_answering(404, [], b""))
        headers = {"host": "example.org", "content-type": "application/json", "sec-fetch-site": "same-origin"}
        told = Asked("POST", headers, path="/_experience/timing").sending(json.dumps(BEACON).encode())
        assert wsgi(app, told).status == 204
        assert loads(metrics) == {"/media/{id}": 1}


@settings(deadline=None)
@given(
    st.binary(max_size=100)
    | st.dictionaries(
        st.sampled_from([*BEACON, "x"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.integers()),
        max_size=7,
    ).map(lambda found: json.dumps(found).encode())
)
def test_nothing_makes_reading_fail(body: bytes) -> None:
    """It is a beacon of bounded figures, or none."""
    try:
        page, figures = policy.timing(body)
    except NoBeaconError:
        return
    assert 0 < len(page) <= 300
    assert all(math.isfinite(value) and 0 <= value <= 1000 for value in figures.values())


class TestPages:
    """A page is one that the application knows."""

    @pytest.mark.parametrize(
        ("told", "page"),
        [
            ("/media/17", "/media/{id}"),
            ("/media/17/", "/media/{id}"),
            ("/media/new", "/media/new"),
            ("/media/{id}", "/media/{id}"),
            ("/files/a/b/c", "/files/*"),
            ("checkout", "checkout"),
            ("checkin", OTHER),
            ("/media", OTHER),
            ("/media/1/2", OTHER),
            ("media/17", OTHER),
            ("<script>", OTHER),
            ("", OTHER),
        ],
    )
    def test_of_those_that_are_given(self, told: str, page: str) -> None:
        """By path, by template or by name; what is written out comes before what is open."""
        pages = Pages(["/files/*", "/media/{id}", "/media/new", "checkout"], list, FakeClock())
        assert pages.of(told) == page

    @pytest.mark.parametrize("page", ["", "/a/*/b", "/{a}b", "x" * 301])
    def test_what_is_none_is_told(self, page: str) -> None:
        """Before the first request."""
        with pytest.raises(ConfigurationError, match="expected a page such as"):
            Pages([page], list, FakeClock())

    @pytest.mark.parametrize("pattern", ["/m/{id}", "/m/{id:int}", "/m/<int:id>", "/m/<id>"])
    def test_those_of_routers_are_learned(self, pattern: str) -> None:
        """In the words of each framework, by which its requests are counted too; looked for every five seconds."""
        clock, known = FakeClock(), [pattern, "/{path:path}/x{y}"]
        pages = Pages([], lambda: known, clock)
        assert pages.of("/m/17") == pattern
        known.append("/late")
        assert pages.of("/late") == OTHER
        clock.sleep(5)
        assert pages.of("/late") == "/late"

    def test_routes_that_answered_are_pages(self, felt: Experience, metrics: Metrics, call: Any) -> None:
        """As the layer request_metrics counts them; those that failed, or that no GET took, are none."""

        async def site(scope: Any, receive: Any, send: Any) -> None:
            scope["route"] = Route("/media/{id}" if scope["path"] != "/form" else "/form")
            status = 500 if scope["path"] == "/media/broken" else 200
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        clock = FakeClock()
        layers = [request_metrics(metrics), errors(), experience(felt, metrics=metrics, clock=clock)]
        app = Pipeline(layers).asgi(site)
        call(app, path="/form", method="POST")
        call(app, path="/media/broken")
        for page in ("/media/17", "/form"):
            post(call, app, {"page": page, "load": 1})
        assert loads(metrics) == {OTHER: 2}
        call(app, path="/media/17")
        clock.sleep(5)
        post(call, app, {"page": "/media/18", "load": 1})
        assert loads(metrics) == {OTHER: 2, "/media/{id}": 1}


class TestBuckets:
    """Clients are kept apart, in bounded memory, by what says nothing of them."""

    def test_clients_have_an_end(self) -> None:
        """Those seen longest ago are forgotten."""
        buckets = Buckets(2, FakeClock())
        for number in range(10_001):
            assert not buckets.take(f"address {number}")
        assert len(buckets._left) == 10_000
        assert "address" not in str(buckets._left)

    def test_an_answer_that_costs_more_than_there_is_waits(self) -> None:
        """Who is refused pays nothing."""
        clock = FakeClock()
        buckets = Buckets(6, clock)
        assert buckets.take("a", 5) == 0
        assert buckets.take("a", 5) == pytest.approx(40)
        clock.sleep(40)
        assert buckets.take("a", 5) == 0

    def test_todays_answers_have_an_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """With too many, nobody is asked any more until tomorrow."""
        monkeypatch.setattr(Answered, "most", 2)
        answered = Answered()
        for name in (b"a", b"b"):
            assert not answered.has(name, 1)
            answered.note(name, 1)
        assert answered.has(b"c", 1)
        assert not answered.has(b"a", 2)


class TestSurvey:
    """One question, one answer of each."""

    PATH = "/_experience/survey"

    def test_it_is_asked_until_it_is_answered(self, app: Any, call: Any, felt: Experience, clock: FakeClock) -> None:
        """Without a session a client answers once a day."""
        asked = call(app, path=self.PATH, client=("198.51.100.7", 1))
        assert (asked.status, asked.header("cache-control")) == (200, "no-store")
        assert json.loads(asked.body) == {
            "survey": "usable",
            "question": "How well does it serve you?",
            "scores": [1, 2, 3, 4, 5],
        }
        assert post(call, app, {"score": 4, "comment": "<b>fine</b>"}, self.PATH).status == 204
        assert call(app, path=self.PATH, client=("198.51.100.7", 1)).status == 204
        assert post(call, app, {"score": 1}, self.PATH).status == 204
        assert call(app, path=self.PATH, client=("203.0.113.1", 1)).status == 200
        clock.sleep(DAY)
        assert post(call, app, {"score": 5}, self.PATH).status == 204
        found = felt.survey("usable")
        assert (found.scores, found.comments[0].text) == ((0, 0, 0, 1, 1), "<b>fine</b>")

    @pytest.mark.parametrize("user", ["alice", None])
    def test_a_session_answers_once(
        self, user: str | None, layer: Middleware, call: Any, felt: Experience, database: DatabaseManager
    ) -> None:
        """Or its user, from whatever address and on whatever day; the table does not say who."""

        async def site(scope: Any, receive: Any, send: Any) -> None:
            session = await scope["state"]["session"]
            session.data["seen"] = True
            if user is not None:
                session.login(user)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        with SessionStore(MemoryStore(), KEYS) as store:
            app = Pipeline([errors(), sessions(store, cookie_secure=False), layer]).asgi(site)
            first = call(app, path="/", client=("198.51.100.7", 1)).header("set-cookie").partition(";")[0].encode()
            headers = [JSON, OWN, (b"cookie", first)]
            assert call(app, path=self.PATH, headers=headers).status == 200
            for score in (5, 1):
                client = (f"198.51.100.{score}", 1)
                assert post(call, app, {"score": score}, self.PATH, headers=headers, client=client).status == 204
            assert call(app, path=self.PATH, headers=headers).status == 204
        assert felt.survey("usable").scores == (0, 0, 0, 0, 1)
        with database.read() as tx:
            (row,) = tx.execute(select(survey_answers)).mappings()
        for name in ("alice", "198.51", first.decode().partition("=")[2][:20]):
            assert name not in str(row)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"score": 0},
            {"score": 6},
            {"score": "5"},
            {"score": True},
            {"score": 3.5},
            {"score": 5, "comment": None},
            {"score": 5, "comment": "x" * 501},
            {"score": 5, "user": "alice"},
            [5],
        ],
    )
    def test_what_is_no_answer_is_400(self, body: Any, app: Any, call: Any, felt: Experience) -> None:
        """And nothing is kept."""
        assert post(call, app, body, self.PATH).status == 400
        assert felt.survey("usable").count == 0

    def test_a_comment_may_have_500_characters(self, app: Any, call: Any, felt: Experience) -> None:
        """However they are written."""
        assert post(call, app, {"score": 5, "comment": "\U0001f642" * 500}, self.PATH).status == 204
        assert len(felt.survey("usable").comments[0].text) == 500
        assert post(call, app, b" " * 8193, self.PATH).status == 413

    def test_another_site_neither_asks_nor_answers(self, app: Any, call: Any, felt: Experience) -> None:
        """For it could answer in its visitors' names."""
        headers = [JSON, (b"sec-fetch-site", b"cross-site")]
        assert post(call, app, {"score": 1}, self.PATH, headers=headers).status == 403
        assert call(app, path=self.PATH, headers=headers).status == 403
        assert felt.survey("usable").count == 0

    def test_an_answer_is_worth_five_beacons(self, app: Any, call: Any) -> None:
        """It is written to the database."""
        statuses = [post(call, app, {"score": 5}, self.PATH).status for _ in range(13)]
        assert statuses == [204] * 12 + [429]

    def test_without_a_question_there_is_none(self, felt: Experience, answer: Any, call: Any) -> None:
        """Its path is the application's."""
        app = Pipeline([experience(felt)]).asgi(answer(404))
        assert call(app, path=self.PATH).status == 404
        wrong: list[dict[str, Any]] = [{"survey": "usable"}, {"question": "How?"}, {"base": "x"}, {"base": "/x/"}]
        wrong.append({"per_minute": 0})
        for options in wrong:
            with pytest.raises(ConfigurationError):
                experience(felt, **options)

    def test_while_the_sessions_are_away_nobody_is_asked(self, layer: Middleware, call: Any, felt: Experience) -> None:
        """And who answers is told to come back."""

        async def site(scope: Any, receive: Any, send: Any) -> None:
            (await scope["state"]["session"]).data["seen"] = True
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        with SessionStore(Absent(), KEYS) as store:
            app = Pipeline([errors(), sessions(store, cookie_secure=False), layer]).asgi(site)
            cookie = call(app, path="/").header("set-cookie").partition(";")[0].encode()
            headers = [JSON, OWN, (b"cookie", cookie)]
            assert call(app, path=self.PATH, headers=headers).status == 200
            Absent.away = True
            try:
                assert call(app, path=self.PATH, headers=headers).status == 204
                assert post(call, app, {"score": 5}, self.PATH, headers=headers).status == 503
            finally:
                Absent.away = False
        assert felt.survey("usable").count == 0

    def test_while_the_database_is_away_an_answer_is_refused(self, app: Any, call: Any, felt: Experience) -> None:
        """And the client may answer again."""
        database = felt._database
        with database.write() as tx:
            survey_answers.drop(tx.connection)
        assert post(call, app, {"score": 5}, self.PATH).status >= 500
        with database.write() as tx:
            survey_answers.create(tx.connection)
        assert post(call, app, {"score": 5}, self.PATH).status == 204
        assert felt.survey("usable").count == 1


class Absent(MemoryStore):
    """A store that may be away."""

    away = False

    def get(self, *args: Any, **options: Any) -> Any:
        """As long as it is there."""
        return self._there(super().get, *args, **options)

    def run(self, *args: Any, **options: Any) -> Any:
        """As long as it is there."""
        return self._there(super().run, *args, **options)

    def _there(self, call: Any, *args: Any, **options: Any) -> Any:
        if self.away:
            raise BackendUnavailable("away")
        return call(*args, **options)


class TestScript:
    """A small file of our own."""

    def test_it_is_small_and_may_be_kept(self, app: Any, call: Any) -> None:
        """1.5 kB at most, for a day; no cookie, no other host."""
        found = call(app, path="/_experience/experience.js")
        assert call(app, path="/_experience/experience.js", method="HEAD").status == 200
        assert (found.status, found.header("content-type")) == (200, "text/javascript; charset=utf-8")
        assert found.header("cache-control") == "public, max-age=86400"
        assert found.header("x-content-type-options") == "nosniff"
        text = (files("postrmagic_core.middleware") / "resources" / "experience.js").read_text()
        assert len(text.encode()) <= 1500
        for word in ("cookie.", "document.cookie", "localStorage", "http:", "https:", "eval", "innerHTML"):
            assert word not in text
        assert call(app, path="/_experience/experience.js", method="POST").status == 405

    def test_other_requests_pass_it_by(self, app: Any, call: Any) -> None:
        """Only its own paths are its business."""
        for path in ("/", "/_experience", "/_experience/", "/_experience/timing/x", "/experience.js"):
            assert call(app, path=path).status == 404


HTML = b"""<!doctype html><meta charset="utf-8"><title>posters</title>
<script defer src="/_experience/experience.js"></script>
<h1>Posters</h1><button id="press">press</button>"""


@pytest.mark.browser
def test_a_browser_tells_of_its_page_once(felt: Experience, metrics: Metrics) -> None:
    """A real one, under a strict policy: what it measured arrives when the page is left, without a cookie or an id."""
    bodies: list[tuple[bytes, dict[bytes, bytes]]] = []
    complaints: list[str] = []

    async def site(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = Route("/media/{id}")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": HTML if scope["path"] != "/favicon.ico" else b""})

    async def heard(request: Any) -> Any:
        if request.path == "/_experience/timing":
            bodies.append((await request.read_body(4096), dict(request.scope["headers"])))
        yield

    policy = {"default-src": "'none'", "script-src": "'self'", "connect-src": "'self'", "base-uri": "'none'"}
    layers = [request_metrics(metrics), security_headers(policy), errors(), heard, experience(felt, metrics=metrics)]
    with serving(Pipeline(layers).asgi(site)) as port, launched() as browser:
        page: Page = browser.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"http://127.0.0.1:{port}/media/17?token=c4n4ry#c4n4ry")
        page.click("#press")
        page.goto(f"http://127.0.0.1:{port}/media/18")
        until(lambda: beacons(metrics).get("taken"), timeout=30)
        page.goto("about:blank")
        until(lambda: beacons(metrics).get("taken") == 2, timeout=30)
    assert beacons(metrics) == {"taken": 2}
    assert loads(metrics) == {"/media/{id}": 2}
    (first, headers), _ = bodies
    told = json.loads(first)
    assert told["page"] == "/media/17"
    assert 0 < told["first_byte"] <= told["load"] < 30_000
    assert {"lcp", "cls"} <= told.keys() <= {"page", "load", "first_byte", "lcp", "cls", "inp"}
    assert b"c4n4ry" not in first
    assert headers[b"sec-fetch-site"] == b"same-origin"
    assert b"cookie" not in headers
    assert [text for text in complaints if "experience" in text or "Policy" in text] == []
