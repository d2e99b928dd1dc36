"""Browsers' reports arrive in the log, and nothing else does."""

from __future__ import annotations

import asyncio
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core._crypto import KeyRing
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.csp_reports import Allowance, csp_reports, shown
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing.clock import FakeClock

CANARY = "c4n4ry-Xy7"
NEW, OLD = "application/reports+json", "application/csp-report"
VIOLATION = {
    "documentURL": f"https://user:{CANARY}@example.org/page?reset={CANARY}#{CANARY}",
    "effectiveDirective": "script-src-elem",
    "blockedURL": f"https://evil.net/x.js?{CANARY}",
    "sourceFile": "https://example.org/app.js",
    "lineNumber": 7,
    "columnNumber": 3,
    "disposition": "enforce",
    "statusCode": 200,
    "sample": f"password = '{CANARY}'",
    "referrer": f"https://example.org/{CANARY}",
    "originalPolicy": "default-src 'self'",
}
FIELDS = {
    "document": "https://example.org/page",
    "directive": "script-src-elem",
    "blocked": "https://evil.net/x.js",
    "source": "https://example.org/app.js",
    "line": 7,
    "column": 3,
    "disposition": "enforce",
    "status": 200,
}


def report(**body: Any) -> dict[str, Any]:
    """One report as the Reporting API writes it."""
    return {"age": 1, "type": "csp-violation", "url": "https://example.org/", "user_agent": "x", "body": body}


def post(call: Any, app: Any, document: Any, kind: str = NEW, **options: Any) -> Any:
    """Send it, as JSON unless it is bytes."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    headers = [(b"content-type", kind.encode()), *options.pop("headers", [])]
    given = {"method": "POST", "path": "/csp-reports", "body": (body,), "headers": headers}
    return call(app, **{**given, **options})


@pytest.fixture
def app(answer: Any) -> Any:
    """An application that says 200 where the reports are not meant."""
    return Pipeline([errors(), csp_reports()]).asgi(answer())


class TestReports:
    """What browsers send is logged."""

    def test_both_generations_are_understood(self, app: Any, call: Any, records: Any) -> None:
        """One record for each report: where, what, which rule; no query, user, fragment, sample or referrer."""
        old = {
            "document-uri": VIOLATION["documentURL"],
            "violated-directive": "script-src-elem",
            "blocked-uri": VIOLATION["blockedURL"],
            "source-file": VIOLATION["sourceFile"],
            "line-number": 7,
            "column-number": 3,
            "disposition": "enforce",
            "status-code": 200,
            "script-sample": CANARY,
        }
        first = post(call, app, [report(**VIOLATION), report(**VIOLATION)])
        second = post(call, app, {"csp-report": old}, OLD + "; charset=utf-8")
        assert (first.status, first.body, second.status) == (204, b"", 204)
        logged = records.named("csp violation")
        assert [{name: record.get(name) for name in FIELDS} for record in logged] == [FIELDS] * 3
        assert {record["level"] for record in logged} == {"warning"}
        assert CANARY not in records.text

    @pytest.mark.parametrize(
        ("blocked", "logged"),
        [
            ("inline", "inline"),
            ("eval", "eval"),
            (f"data:text/plain,{CANARY}", "data"),
            (f"JavaScript:{CANARY}", "JavaScript"),
            (f"chrome-extension://{CANARY}/x.js", "chrome-extension"),
            (f"https://{CANARY}@a.example.org/x", "https://a.example.org/x"),
            (f"https://a.example.org?{CANARY}", "https://a.example.org"),
            (f"//a.example.org/x#{CANARY}", "//a.example.org/x"),
        ],
    )
    def test_of_an_address_only_the_place_is_kept(
        self, blocked: str, logged: str, app: Any, call: Any, records: Any
    ) -> None:
        """Scheme, host and path; of schemes that carry content the name alone."""
        assert post(call, app, [report(effectiveDirective="img-src", blockedURL=blocked)]).status == 204
        assert records.named("csp violation")[0]["blocked"] == logged
        assert CANARY not in records.text

    def test_other_reports_are_named(self, app: Any, call: Any, records: Any) -> None:
        """Of a deprecation or a crash, its kind and page."""
        other = {"type": "deprecation", "url": f"https://example.org/old?{CANARY}", "body": {"message": CANARY}}
        assert post(call, app, [other]).status == 204
        (record,) = records.named("browser report")
        assert (record["type"], record["document"]) == ("deprecation", "https://example.org/old")
        assert CANARY not in records.text

    def test_only_posts_there_are_taken(self, app: Any, call: Any, records: Any) -> None:
        """Anything else is the application's."""
        assert post(call, app, [report(**VIOLATION)], path="/csp-reports/x").status == 200
        assert post(call, app, [report(**VIOLATION)], method="PUT").status == 200
        assert post(call, app, [report(**VIOLATION)], method="GET").status == 200
        assert not records.named("csp violation")

    def test_they_pass_where_a_form_would_be_refused(self, answer: Any, call: Any) -> None:
        """Browsers send them with the cookies and without Origin: csrf and sessions stand further in."""
        keys = KeyRing(["a7Rk2mQ9xW4vT1pL8sD3fG6hJ0zXcVbN"])
        with SessionStore(MemoryStore(), keys) as store:
            layers = [errors(), csp_reports(), sessions(store), csrf(keys=keys, token="always")]
            app = Pipeline(layers).asgi(answer())
            for guard in (csrf(), sessions(store)):
                with pytest.raises(ConfigurationError, match="csp_reports must stand outside"):
                    Pipeline([errors(), guard, csp_reports()])
            outcome = post(call, app, [report(**VIOLATION)], headers=[(b"cookie", b"__Host-session=x")])
        assert outcome.status == 204

    def test_it_works_under_wsgi(self, records: Any) -> None:
        """The same answer, and no byte is read beyond the announced length."""

        class Stream(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                assert size is not None
                assert 0 <= size <= len(body) - self.tell(), "a server would wait here"
                return super().read(size)

        def app(environ: Any, start_response: Any) -> list[bytes]:
            raise AssertionError

        def send(body: bytes) -> str:
            started: list[Any] = []
            environ: dict[str, Any] = {"REQUEST_METHOD": "POST", "PATH_INFO": "/csp-reports", "CONTENT_TYPE": NEW}
            environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": Stream(body)}
            response: Any = wrapped(environ, lambda *given: started.append(given))
            assert b"".join(response) is not None
            response.close()
            return str(started[0][0])

        wrapped = Pipeline([csp_reports()]).wsgi(app)
        body = json.dumps([report(**VIOLATION)]).encode()
        assert send(body) == "204 No Content"
        body = b"{"
        assert send(body) == "400 Bad Request"
        assert len(records.named("csp violation")) == 1


class TestJunk:
    """Whatever comes from the network is bounded and checked."""

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"null",
            b"{}",
            b"[1]",
            b"[{}]",
            b"[[]]",
            b'[{"type": 1, "body": {}}]',
            b'[{"type": "csp-violation"}]',
            b'[{"type": "csp-violation", "body": []}]',
            b'[{"type": "csp-violation", "body": {}}]',
            b'[{"type": "csp-violation", "body": {"effectiveDirective": 1}}]',
            b'[{"type": "csp-violation", "body": {"effectiveDirective": "a", "documentURL": {}, "blockedURL": [1]}}]',
            b'[{"type": "csp-violation", "body": {"effectiveDirective": "a", "lineNumber": -1}}]',
            b'[{"type": "csp-violation", "body": {"effectiveDirective": "a", "lineNumber": 1.5}}]',
            b'[{"type": "csp-violation", "body": {"effectiveDirective": "a", "lineNumber": NaN}}]',
            b'[{"type": "csp-violation", "body": {"effectiveDirective": "a", "lineNumber": true}}]',
            b'[{"type": "csp-violation", "body": {"effectiveDirective": "a", "effectiveDirective": "b"}}]',
            b'[{"type": "csp-violation", "body": {"effectiveDirective": "\xff"}}]',
            b'\xef\xbb\xbf[{"type": "csp-violation", "body": {"effectiveDirective": "a"}}]',
            b"[" * 20_000,
            b"[" * 20 + b"]" * 20,
            b"[" + b"1," * 9_000 + b"1]",
        ],
        ids=lambda body: body[:60],
    )
    def test_what_is_no_report_is_400(self, body: bytes, app: Any, call: Any, records: Any) -> None:
        """Strict JSON, of the known shape, or nothing is logged of it."""
        outcome = post(call, app, body)
        assert (outcome.status, json.loads(outcome.body)["code"]) == (400, "csp_report.invalid")
        assert not records.named("csp violation")

    def test_one_bad_report_spoils_its_list(self, app: Any, call: Any, records: Any) -> None:
        """A list is taken as a whole or not at all."""
        assert post(call, app, [report(**VIOLATION), report()]).status == 400
        assert not records.named("csp violation")

    @pytest.mark.parametrize("kind", ["", "application/json", "text/plain", "application/x-www-form-urlencoded"])
    def test_another_type_is_415(self, kind: str, app: Any, call: Any, records: Any) -> None:
        """Types that any page may send without a preflight are not reports."""
        assert post(call, app, [report(**VIOLATION)], kind).status == 415
        assert not records.named("csp violation")

    def test_what_is_too_large_is_413(self, answer: Any, call: Any, records: Any) -> None:
        """Announced: unread. Streamed: not read beyond the limit."""
        app = Pipeline([errors(), csp_reports(max_bytes=1000)]).asgi(answer())
        assert post(call, app, b"", headers=[(b"content-length", b"1001")]).status == 413
        assert post(call, app, b" " * 1001).status == 413
        endless = iter(range(1000))

        async def stream() -> Any:
            next(endless)
            return {"type": "http.request", "body": b" " * 300, "more_body": True}

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/csp-reports", "headers": [(b"content-type", NEW.encode())]}
        asyncio.run(app(scope, stream, send))
        assert sent[0]["status"] == 413
        assert next(endless) == 4, "1,001 bytes were enough to know"

    def test_a_client_that_leaves_reports_nothing(self, app: Any, call: Any, records: Any) -> None:
        """Half a report is none."""
        outcome = post(call, app, b"", body=())
        assert outcome.status == 400
        assert not records.named("csp violation")

    def test_values_are_bounded_and_cannot_forge_a_line(self, app: Any, call: Any, records: Any) -> None:
        """Line breaks, terminal escapes and direction marks are written as escapes; long texts are cut."""
        forged = "script-src\r\n2026 INFO forged \x1b[2J\u202e\u2028\x00\x7f"
        post(call, app, [report(effectiveDirective=forged, documentURL="https://a.example.org/" + "x" * 5000)])
        (record,) = records.named("csp violation")
        assert record["directive"] == (
            "script-src\\u000d\\u000a2026 INFO forged \\u001b[2J\\u202e\\u2028\\u0000\\u007f"
        )
        assert len(record["document"]) == 301
        assert len(records.text.splitlines()) == 1

    @settings(deadline=None)
    @given(
        st.binary(max_size=200)
        | st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(["type", "body", "url", "csp-report", "documentURL", "effectiveDirective", "x"])
                    | st.text(max_size=5),
                    inner,
                    max_size=5,
                )
            ),
            max_leaves=20,
        ),
        st.sampled_from([NEW, OLD]),
    )
    def test_nothing_makes_it_fail(self, document: Any, kind: str) -> None:
        """Whatever is sent: 204 or 400."""
        sent: list[Any] = []

        async def receive() -> Any:
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            raise AssertionError

        headers = [(b"content-type", kind.encode())]
        scope = {"type": "http", "method": "POST", "path": "/csp-reports", "headers": headers}
        asyncio.run(Pipeline([csp_reports()]).asgi(app)(scope, receive, send))
        assert sent[0]["status"] in {204, 400}

    @settings(deadline=None)
    @given(st.text())
    def test_what_is_shown_is_printable(self, text: str) -> None:
        """One line of at most 300 characters, each escaped where it cannot be printed."""
        assert shown(text).isprintable()
        assert len(shown(text)) <= 6 * 300 + 12


class TestFlood:
    """Reports cannot flood the log."""

    def test_a_minute_has_so_many_records(self, answer: Any, call: Any, records: Any) -> None:
        """Given more, they are counted; the next that is logged tells how many were left out."""
        clock = FakeClock()
        app = Pipeline([csp_reports(per_minute=3, clock=clock)]).asgi(answer())
        assert post(call, app, [report(**VIOLATION)] * 5).status == 204
        clock.sleep(59)
        assert post(call, app, [report(**VIOLATION)]).status == 204
        assert len(records.named("csp violation")) == 3
        clock.sleep(1)
        post(call, app, [report(**VIOLATION)] * 2)
        assert [record.get("left_out") for record in records.named("csp violation")] == [None, None, None, 3, None]

    def test_any_minute_not_each_minute(self) -> None:
        """Given three late in one minute, none of the next minute's first seconds is allowed."""
        clock = FakeClock()
        allowance = Allowance(3, clock)
        clock.sleep(50)
        assert [allowance.take() for _ in range(4)] == [0, 0, 0, None]
        clock.sleep(20)
        assert allowance.take() is None
        clock.sleep(40)
        assert allowance.take() == 2

    def test_threads_share_it(self) -> None:
        """Given eight threads, the number is exact, and none is lost from the count."""
        clock = FakeClock()
        allowance = Allowance(100, clock)
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda _: allowance.take(), range(1000)))
        assert taken.count(None) == 900
        clock.sleep(60)
        assert allowance.take() == 900


@pytest.mark.parametrize("options", [{"path": "reports"}, {"max_bytes": 0}, {"per_minute": 0}], ids=str)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """A path begins with a slash; sizes and rates are positive."""
    with pytest.raises(ValueError, match="expected a path"):
        csp_reports(**options)
