"""Pages of other origins may do what the list says, told exactly (the Fetch standard's CORS protocol)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.middleware import Head, Pipeline, Request, Response
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.cors import add_vary, cors
from postrmagic_core.middleware.errors import errors
from tests.middleware.test_wsgi import under_wsgi

APP = "https://app.example.org"
ASKED = "Access-Control-Request-Method, Access-Control-Request-Headers"
PREFIX = "access-control-"


def pairs(**headers: str) -> list[tuple[bytes, bytes]]:
    """Headers as a server gives them; underscores stand for hyphens."""
    return [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]


def said(outcome: Any) -> dict[str, str]:
    """What a response says of CORS; a header twice is an error."""
    found = [(name.decode().lower(), value.decode()) for name, value in outcome.messages[0]["headers"]]
    ours = [(name.removeprefix(PREFIX), value) for name, value in found if name.startswith(PREFIX)]
    assert len(dict(ours)) == len(ours)
    return dict(ours)


def preflight(call: Any, layer: Any, origin: str = APP, method: str = "POST", **more: str) -> Any:
    """The answer to a preflight; the application must not be asked."""

    async def never(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the application was asked")

    asked = {"origin": origin, "access_control_request_method": method, **more}
    return call(Pipeline([layer]).asgi(never), method="OPTIONS", headers=pairs(**asked))


class TestOrigins:
    """Exact, or a pattern that matches the whole, or everybody."""

    @pytest.mark.parametrize(
        "origin",
        [
            "https://app.example.org.evil.net", "https://evil-app.example.org", "http://app.example.org",
            "https://app.example.org:8443", "https://app.example.org:443", "https://APP.example.org",
            "https://app.example.org/", "https://app.example.org.", "https://app.example.orgx",
            "https://xapp.example.org", "https://app-example.org",
            "null", "", "*", "https://app.example.org https://evil.net", "https://app.example.org, https://evil.net",
            " https://app.example.org", "https://app.example.org\n", "file://", "https://b.example.org.evil.net",
            "https://evil.net/.example.org", "https://evil.net#.example.org", "https://evil.net@b.example.org",
            "https://evil.net\n.example.org",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("credentials", [False, True])
    def test_what_only_looks_like_one_is_refused(self, origin: str, credentials: bool, call: Any, answer: Any) -> None:
        """Prefix, suffix, port, case, scheme, list, `null`: none is one listed, nor matches a pattern as a whole."""
        pattern = re.compile(r"https://[^.]+\.example\.org$|https://.*/?\.example\.org")
        layer = cors([APP, re.compile(r"https://b\.example\.org")], credentials=credentials)
        outcome = call(Pipeline([layer]).asgi(answer()), headers=pairs(origin=origin))
        assert (said(outcome), outcome.header("vary")) == ({}, "Origin")
        if "app" not in origin:
            outcome = call(Pipeline([cors([pattern])]).asgi(answer()), headers=pairs(origin=origin))
            assert said(outcome) == {}
        assert set(said(preflight(call, layer, origin))) == set()

    @pytest.mark.parametrize("origin", [APP, "https://b.example.org", "https://c.example.org"])
    def test_a_listed_one_may_read(self, origin: str, call: Any, answer: Any) -> None:
        """It is told itself; a simple response says nothing of methods, headers or ages."""
        layer = cors([APP, re.compile(r"https://[bc]\.example\.org")], credentials=True, expose=["X-Total", "ETag"])
        outcome = call(Pipeline([layer]).asgi(answer()), headers=pairs(origin=origin))
        assert said(outcome) == {
            "allow-origin": origin, "allow-credentials": "true", "expose-headers": "X-Total, ETag"
        }  # fmt: skip
        assert outcome.header("vary") == "Origin"

    def test_two_origins_are_none(self, call: Any, answer: Any) -> None:
        """Given two ``Origin`` headers, nobody is allowed."""
        doubled = pairs(origin=APP) * 2
        assert said(call(Pipeline([cors([APP])]).asgi(answer()), headers=doubled)) == {}
        asked = doubled + pairs(access_control_request_method="GET")
        for layer in (cors([APP]), cors(["*"])):
            outcome = call(Pipeline([layer]).asgi(answer()), method="OPTIONS", headers=asked)
            assert (outcome.status, said(outcome)) == (403, {})

    def test_without_an_origin_caches_are_told_all_the_same(self, call: Any, answer: Any) -> None:
        """Else a cache would give a page the response that says nothing."""
        outcome = call(Pipeline([cors([APP])]).asgi(answer()))
        assert (said(outcome), outcome.header("vary")) == ({}, "Origin")

    @pytest.mark.parametrize("headers", [pairs(), pairs(origin=APP), pairs(origin="null")])
    def test_everybody_is_told_the_same(self, headers: Any, call: Any, answer: Any) -> None:
        """Given ``*``, every response allows every page, without credentials, and varies with nothing."""
        outcome = call(Pipeline([cors(["*"])]).asgi(answer()), headers=headers)
        assert (said(outcome), outcome.header("vary")) == ({"allow-origin": "*"}, None)


class TestPreflight:
    """Answered at once, with what was asked and is allowed."""

    def test_it_allows_what_it_was_asked(self, call: Any) -> None:
        """Not the whole list: the method and the headers of this request."""
        layer = cors(
            [APP], methods=["GET", "PUT", "DELETE"], headers=["Content-Type", "X-Token"], expose=["X-A"], max_age=60
        )
        outcome = preflight(call, layer, method="PUT", access_control_request_headers="content-type,x-token")
        assert (outcome.status, outcome.body) == (204, b"")
        assert said(outcome) == {
            "allow-origin": APP, "allow-methods": "PUT", "allow-headers": "content-type, x-token", "max-age": "60"
        }  # fmt: skip
        assert outcome.header("vary") == f"Origin, {ASKED}"
        assert outcome.header("content-length") is None

    def test_it_tells_of_credentials(self, call: Any) -> None:
        """Without headers asked for, none are told."""
        assert said(preflight(call, cors([APP], credentials=True))) == {
            "allow-origin": APP, "allow-methods": "POST", "allow-credentials": "true", "max-age": "600"
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("asked", "what"),
        [
            ({"origin": "https://evil.net"}, "origin"),
            ({"method": "DELETE"}, "method"),
            ({"method": "put"}, "method"),
            ({"method": "PUT, GET"}, "method"),
            ({"method": "*"}, "method"),
            ({"method": ""}, "method"),
            ({"access_control_request_headers": "x-other"}, "headers"),
            ({"access_control_request_headers": "x-token, x-other"}, "headers"),
            ({"access_control_request_headers": "*"}, "headers"),
            ({"access_control_request_headers": "x token"}, "headers"),
            ({"access_control_request_headers": "x-token\r\nset-cookie: a"}, "headers"),
            ({"access_control_request_headers": "x-token," * 2000}, "headers"),
        ],
    )
    def test_a_refused_one_allows_nothing(self, asked: dict[str, str], what: str, call: Any) -> None:
        """Not even the origin: the browser sends nothing. A person reads what was refused."""
        layer = cors([APP], methods=["PUT"], headers=["x-token"], credentials=True)
        outcome = preflight(call, layer, **{"method": "PUT", **asked})
        assert (outcome.status, said(outcome)) == (403, {})
        assert outcome.header("vary") == f"Origin, {ASKED}"
        assert what in json.loads(outcome.body)["detail"]

    def test_everybodys_varies_with_what_was_asked(self, call: Any) -> None:
        """Given ``*``, not with the origin."""
        outcome = preflight(call, cors(["*"], headers=["x-a"]), access_control_request_headers="X-A")
        assert said(outcome)["allow-origin"] == "*"
        assert outcome.header("vary") == ASKED

    def test_a_private_network_is_never_opened(self, call: Any) -> None:
        """Given a page of the internet that asks for a server at home, that is not allowed (CVE-2024-6221)."""
        for asked in ("access_control_request_private_network", "access_control_request_local_network"):
            assert not any("network" in name for name in said(preflight(call, cors(["*"]), **{asked: "true"})))

    @pytest.mark.parametrize(
        ("method", "headers"),
        [
            ("OPTIONS", pairs(origin=APP)),
            ("OPTIONS", pairs(access_control_request_method="PUT")),
            ("OPTIONS", pairs()),
            ("GET", pairs(origin=APP, access_control_request_method="PUT")),
        ],
    )
    def test_what_is_no_preflight_reaches_the_application(
        self, method: str, headers: Any, call: Any, answer: Any
    ) -> None:
        """OPTIONS with ``Origin`` and ``Access-Control-Request-Method``, nothing less."""
        outcome = call(Pipeline([cors([APP])]).asgi(answer()), method=method, headers=headers)
        assert (outcome.status, outcome.body) == (200, b"hello")
        assert "allow-methods" not in said(outcome)


class TestOtherLayers:
    """Whatever answers, a page may read it."""

    @pytest.mark.parametrize("status", [403, 429])
    def test_early_answers_and_failures_carry_it(self, status: int, call: Any, failing: Any, answer: Any) -> None:
        """A 500, a 413, and what a layer inside answers itself."""

        def stopping(request: Request) -> Any:
            if request.path == "/stop":
                yield Response(status)

        pipeline = Pipeline([cors([APP]), errors(), body_limit(1), stopping])
        large = [*pairs(origin=APP), (b"content-length", b"5")]
        for outcome, wanted in (
            (call(pipeline.asgi(failing(ValueError())), headers=pairs(origin=APP)), 500),
            (call(pipeline.asgi(answer()), headers=pairs(origin=APP), path="/stop"), status),
            (call(pipeline.asgi(answer()), headers=large, method="POST"), 413),
        ):
            assert (outcome.status, said(outcome)) == (wanted, {"allow-origin": APP})

    def test_inside_of_errors_it_is_refused(self) -> None:
        """There a 500 would be unreadable: the order is checked."""
        with pytest.raises(ConfigurationError, match="cors must stand outside errors"):
            Pipeline([errors(), cors([APP])])

    def test_what_the_application_says_is_replaced(self, call: Any, answer: Any) -> None:
        """Given an application that allows anybody, the list still counts, and nothing stands there twice."""
        own = tuple(
            (f"Access-Control-{name}".encode(), b"*")
            for name in ("Allow-Origin", "Allow-Methods", "Allow-Private-Network")
        )
        app = Pipeline([cors([APP])]).asgi(answer(headers=own))
        assert said(call(app, headers=pairs(origin="https://evil.net"))) == {}
        assert said(call(app, headers=pairs(origin=APP))) == {"allow-origin": APP}

    @pytest.mark.parametrize(
        ("present", "vary"),
        [
            ([], "Origin"),
            (["Cookie"], "Cookie, Origin"),
            (["origin"], "origin"),
            (["Accept, ORIGIN"], "Accept, ORIGIN"),
            (["Accept", "Cookie ,"], "Accept, Cookie, Origin"),
            (["*"], "*"),
            (["X-Origin"], "X-Origin, Origin"),
        ],
    )
    def test_vary_is_added_to(self, present: list[str], vary: str) -> None:
        """What others vary with stays; nothing stands there twice; ``*`` says it all."""
        head = Head(200, [(b"Vary", line.encode()) for line in present])
        add_vary(head, ["Origin"])
        assert head.get_all("vary") == [vary]


class TestConstruction:
    """What cannot be meant, or must not be, is refused at once."""

    @pytest.mark.parametrize(
        ("origins", "options", "message"),
        [
            (["*"], {"credentials": True}, "any page read"),
            ([re.compile(".*")], {"credentials": True}, "any page read"),
            ([re.compile(r"https://.+")], {"credentials": True}, "any page read"),
            ([APP, "*"], {}, "list it alone"),
            ("*", {}, "expected a list of origins"),
            (APP, {}, "expected a list of origins"),
            (["null"], {}, "expected an origin"),
            (["app.example.org"], {}, "expected an origin"),
            ([f"{APP}/"], {}, "no path"),
            (["https://APP.example.org"], {}, "lower case"),
            ([f"{APP}:443"], {}, "no default port"),
            (["http://localhost:80"], {}, "no default port"),
            ([f"{APP}:"], {}, "expected an origin"),
            (["https://*.example.org"], {}, "expected an origin"),
            (["https://"], {}, "expected an origin"),
            (["https://exämple.org"], {}, "expected an origin"),
            ([APP], {"methods": ["*"]}, "expected methods"),
            ([APP], {"methods": "GET"}, "expected methods"),
            ([APP], {"headers": ["*"]}, "expected headers"),
            ([APP], {"headers": ["x a"]}, "expected headers"),
            ([APP], {"expose": ["a\r\nb"]}, "expected expose"),
            ([APP], {"max_age": -1}, "expected max_age"),
        ],
    )
    def test_it_is_an_error(self, origins: Any, options: Any, message: str) -> None:
        """The message names what was expected, or what would happen."""
        with pytest.raises(ValueError, match=message):
            cors(origins, **options)

    @pytest.mark.parametrize(
        "origin", ["http://localhost:5173", "http://[::1]:8000", "capacitor://localhost", "http://a:443"]
    )
    def test_other_schemes_and_ports_are_origins_too(self, origin: str, call: Any, answer: Any) -> None:
        """Those of development and of applications on phones."""
        outcome = call(Pipeline([cors([origin])]).asgi(answer()), headers=pairs(origin=origin))
        assert said(outcome)["allow-origin"] == origin


def test_it_is_the_same_under_wsgi() -> None:
    """A preflight is answered, a response is marked."""
    asked = {"REQUEST_METHOD": "OPTIONS", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}
    answer = under_wsgi(cors([APP]), HTTP_ORIGIN=APP, **asked)
    assert (answer.status, answer.headers[f"{PREFIX}allow-methods"]) == ("204 No Content", "POST")
    assert under_wsgi(cors([APP]), HTTP_ORIGIN="https://evil.net", **asked).status == "403 Forbidden"
    answer = under_wsgi(cors([APP]), HTTP_ORIGIN=APP)
    assert (answer.status, answer.headers) == ("200 OK", {f"{PREFIX}allow-origin": APP, "vary": "Origin"})


@settings(deadline=None)
@given(
    origin=st.text(st.characters(max_codepoint=255), max_size=40)
    | st.from_regex(r"https?://[a-z.:/@]{0,20}org", fullmatch=True)
)
def test_only_listed_origins_are_ever_told(origin: str) -> None:
    """Whatever an ``Origin`` holds, it comes back only if it is on the list as it stands."""
    layer = cors([APP, re.compile(r"https://[a-z]+\.org")], credentials=True)
    generator: Any = layer(Request({"type": "http", "headers": pairs(origin=origin)}))
    next(generator)
    head = Head(200)
    with pytest.raises(StopIteration):
        generator.send(head)
    listed = origin == APP or re.fullmatch(r"https://[a-z]+\.org", origin)
    assert head.get(f"{PREFIX}allow-origin") == (origin if listed else None)
