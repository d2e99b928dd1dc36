"""Browsers are told what a page may do, in headers that nobody can misread."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.middleware import Pipeline, Request, Response
from postrmagic_core.middleware import csp as policies
from postrmagic_core.middleware.csp import NONCE
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.security_headers import CSP, security_headers

STRICT = {"default-src": "'self'", "script-src": [NONCE, "'strict-dynamic'"], "object-src": "'none'"}


def naming(*, times: int = 1, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Any:
    """An application whose page asks for its nonce so many times, and shows what it got."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonces = [scope["state"]["csp_nonce"]() for _ in range(times)]
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        await send({"type": "http.response.body", "body": " ".join(nonces).encode()})

    return app


class TestHeaders:
    """What every response carries."""

    def test_every_response_has_them(self, call: Any, answer: Any, failing: Any) -> None:
        """Errors and early answers too (ASVS 3.4.3 to 3.4.6, 3.4.8, 3.5.8)."""

        def stopping(request: Request) -> Any:
            if request.path == "/stop":
                yield Response(429)

        pipeline = Pipeline([security_headers(), errors(), stopping])
        for outcome in (
            call(pipeline.asgi(answer())),
            call(pipeline.asgi(answer(404))),
            call(pipeline.asgi(failing(ValueError()))),
            call(pipeline.asgi(answer()), path="/stop"),
            call(pipeline.asgi(answer()), method="OPTIONS"),
        ):
            assert outcome.header("x-content-type-options") == "nosniff"
            assert outcome.header("referrer-policy") == "strict-origin-when-cross-origin"
            assert outcome.header("cross-origin-opener-policy") == "same-origin"
            assert outcome.header("cross-origin-resource-policy") == "same-origin"
            assert "camera=()" in outcome.header("permissions-policy")
            policy = outcome.header("content-security-policy")
            for directive in ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
                assert directive in policy

    def test_the_applications_policy_is_kept(self, call: Any, answer: Any) -> None:
        """A page that needs a policy of its own sets it; another default may be given."""
        own = ((b"Content-Security-Policy", b"sandbox"), (b"Cross-Origin-Resource-Policy", b"cross-origin"))
        outcome = call(Pipeline([security_headers()]).asgi(answer(headers=own)))
        assert outcome.header("content-security-policy") == "sandbox"
        assert outcome.header("cross-origin-resource-policy") == "cross-origin"
        assert outcome.header("referrer-policy") == "strict-origin-when-cross-origin"
        names = [name.lower() for name, _ in outcome.messages[0]["headers"]]
        assert len(names) == len(set(names))
        outcome = call(Pipeline([security_headers(csp="default-src 'none'")]).asgi(answer()))
        assert outcome.header("content-security-policy") == "default-src 'none'"

    def test_nosniff_is_not_open_to_discussion(self, call: Any, answer: Any) -> None:
        """Given an application that sets another value, which browsers ignore, nosniff takes its place (3.4.4)."""
        app = answer(headers=((b"X-Content-Type-Options", b"sniff"),))
        outcome = call(Pipeline([security_headers()]).asgi(app))
        values = [value for name, value in outcome.messages[0]["headers"] if name.lower() == b"x-content-type-options"]
        assert values == [b"nosniff"]

    def test_each_can_be_left_out(self, call: Any, answer: Any) -> None:
        """None leaves a header out."""
        bare = security_headers(None, None, permissions=None, opener=None, resources=None)
        outcome = call(Pipeline([bare]).asgi(answer()))
        assert [name for name, _ in outcome.messages[0]["headers"]] == [b"x-content-type-options", b"x-frame-options"]

    @pytest.mark.parametrize(
        ("csp", "own", "denied"),
        [
            (CSP, None, False),
            ("default-src 'self'", None, True),
            (None, None, True),
            (CSP, b"sandbox", True),
            (CSP, b"default-src 'self'; frame-ancestors https://partner.example.org", False),
            (CSP, b"default-src 'self';FRAME-ANCESTORS 'self'", False),
            (CSP, b"img-src https://a.example.org/frame-ancestors", True),
            ("default-src 'self'", b"frame-ancestors *", False),
        ],
    )
    def test_nobody_frames_a_page_that_does_not_say_who_may(
        self, csp: str | None, own: bytes | None, denied: bool, call: Any, answer: Any
    ) -> None:
        """X-Frame-Options only where no policy in force has frame-ancestors (ASVS 3.4.6); on trial is not in force."""
        app = answer(headers=((b"content-security-policy", own),) if own is not None else ())
        outcome = call(Pipeline([security_headers(csp, report_only="frame-ancestors 'none'")]).asgi(app))
        assert outcome.header("x-frame-options") == ("DENY" if denied else None)

    def test_a_frame_option_of_the_applications_is_kept(self, call: Any, answer: Any) -> None:
        """A page that said who may frame it in the old way has said it."""
        own = ((b"content-security-policy", b"sandbox"), (b"x-frame-options", b"SAMEORIGIN"))
        outcome = call(Pipeline([security_headers()]).asgi(answer(headers=own)))
        assert outcome.header("x-frame-options") == "SAMEORIGIN"

    def test_transport_security_is_for_https_and_when_asked(self, call: Any, answer: Any) -> None:
        """RFC 6797, section 7.2: never over plain HTTP; off by default, since it binds the whole host (ASVS 3.4.1)."""
        year = Pipeline([security_headers(hsts=31_536_000)]).asgi(answer())
        assert call(year, scheme="https").header("strict-transport-security") == "max-age=31536000; includeSubDomains"
        assert call(year, scheme="http").header("strict-transport-security") is None
        plain = Pipeline([security_headers()]).asgi(answer())
        assert call(plain, scheme="https").header("strict-transport-security") is None

    def test_reports_go_where_both_generations_of_browsers_look(self, call: Any, answer: Any) -> None:
        """report-to with Reporting-Endpoints, and report-uri (ASVS 3.4.7), for policies in force and on trial."""
        layer = security_headers(report_only="default-src 'none'", reports="/csp-reports")
        outcome = call(Pipeline([layer]).asgi(answer()))
        assert outcome.header("reporting-endpoints") == 'csp="/csp-reports"'
        for name in ("content-security-policy", "content-security-policy-report-only"):
            assert outcome.header(name).endswith("; report-uri /csp-reports; report-to csp")

    def test_it_works_under_wsgi(self) -> None:
        """The same headers and the same nonce."""
        started: list[Any] = []

        def app(environ: Any, start_response: Any) -> list[bytes]:
            nonce = environ["postrmagic.state"]["csp_nonce"]()
            start_response("200 OK", [("Content-Type", "text/html")])
            return [nonce.encode()]

        wrapped = Pipeline([security_headers(STRICT)]).wsgi(app)
        body: Any = wrapped({"REQUEST_METHOD": "GET"}, lambda *given: started.append(given))
        nonce = b"".join(body).decode()
        body.close()
        assert f"'nonce-{nonce}'" in dict(started[0][1])["content-security-policy"]


class TestNonce:
    """A nonce is fresh, unguessable, and nowhere else."""

    def test_it_is_fresh_for_each_request_and_the_same_throughout_it(self, call: Any) -> None:
        """128 bits (ASVS 3.4.3), in the policy of this response alone, and never in a cache."""
        app = Pipeline([security_headers(STRICT)]).asgi(naming(times=2))
        seen = set()
        for _ in range(20):
            outcome = call(app)
            first, second = outcome.body.decode().split()
            assert first == second
            assert re.fullmatch(r"[A-Za-z0-9_-]{22}", first)
            assert outcome.header("content-security-policy") == (
                f"default-src 'self'; script-src 'nonce-{first}' 'strict-dynamic'; object-src 'none'"
            )
            assert outcome.header("cache-control") == "no-store"
            seen.add(first)
        assert len(seen) == 20

    def test_a_page_with_a_nonce_is_not_cached_whatever_it_says(self, call: Any) -> None:
        """A cached nonce is one that others know."""
        app = naming(headers=((b"cache-control", b"public, max-age=60"),))
        outcome = call(Pipeline([security_headers(STRICT)]).asgi(app))
        values = [value for name, value in outcome.messages[0]["headers"] if name == b"cache-control"]
        assert values == [b"no-store"]

    def test_who_does_not_ask_has_none(self, call: Any, answer: Any) -> None:
        """The policy then allows no nonce, nor anything else in its place, and caches may keep the response."""
        policy = {"script-src": [NONCE, "'unsafe-inline'", "https:"], "style-src": [NONCE, "'unsafe-inline'"]}
        outcome = call(Pipeline([security_headers(policy)]).asgi(answer()))
        assert outcome.header("content-security-policy") == "script-src https:; style-src 'none'"
        assert outcome.header("cache-control") is None

    def test_it_is_in_the_policy_on_trial_too(self, call: Any) -> None:
        """Both policies speak of one nonce."""
        layer = security_headers("script-src 'nonce-{nonce}'", report_only={"style-src": NONCE})
        outcome = call(Pipeline([layer]).asgi(naming()))
        nonce = outcome.body.decode()
        assert outcome.header("content-security-policy") == f"script-src 'nonce-{nonce}'"
        assert outcome.header("content-security-policy-report-only") == f"style-src 'nonce-{nonce}'"

    def test_a_policy_without_a_place_for_it_makes_none(self, call: Any, answer: Any) -> None:
        """What would have no effect is not offered."""
        seen = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["state"].get("csp_nonce"))
            await answer()(scope, receive, send)

        call(Pipeline([security_headers()]).asgi(app), state={})
        assert seen == [None]


class TestChecks:
    """A value that browsers would misread is refused when the pipeline is built."""

    @pytest.mark.parametrize(
        ("policy", "complaint"),
        [
            ({"script-source": "'self'"}, "no such directive"),
            ("script-src 'self'; script-src https:", "stands twice"),
            ({"script-src": "self"}, "in single quotes"),
            ({"script-src": ["nonce-abc"]}, "in single quotes"),
            ({"script-src": "UNSAFE-INLINE"}, "in single quotes"),
            ({"img-src": ["https://a.example.org; script-src *"]}, "visible ASCII"),
            ({"img-src": ["https://a.example.org, script-src *"]}, "visible ASCII"),
            ({"img-src": "https://a.example.org; script-src *"}, "visible ASCII"),
            ({"img-src": "a\r\nset-cookie:b"}, "visible ASCII"),
            ("img-src 'self'\r\nset-cookie: a=b", "visible ASCII|no such directive"),
            ("img-src\t'self'", "no such directive"),
            ({"img-src": ["é.example.org"]}, "visible ASCII"),
            ({"img-src": [""]}, "visible ASCII"),
            ({"script-src": "'nonce-{other}'"}, "placeholder"),
            ({"img-src\r\nx": "a"}, "no such directive"),
            ({"report-uri": "/elsewhere"}, "leave report-to and report-uri out"),
        ],
        ids=str,
    )
    def test_of_policies(self, policy: Any, complaint: str) -> None:
        """Unknown directives, unquoted keywords, and whatever could begin another directive, policy or header."""
        for options in ({"csp": policy}, {"csp": None, "report_only": policy}):
            with pytest.raises(ValueError, match=complaint):
                security_headers(**options, reports="/csp-reports")

    @pytest.mark.parametrize(
        "options",
        [
            {"referrer_policy": "strict"},
            {"referrer_policy": "origin\r\nset-cookie: a=b"},
            {"permissions": "camera=()\nx: y"},
            {"permissions": "camera 'none'"},
            {"permissions": 'camera=(self "https://é.example.org")'},
            {"opener": "same-site"},
            {"resources": "same-origin; x"},
            {"reports": "http://example.org/reports"},
            {"reports": '/reports", other="/x'},
            {"reports": "/reports;script-src *"},
            {"hsts": -1},
        ],
        ids=str,
    )
    def test_of_other_headers(self, options: Any) -> None:
        """Each has its own grammar."""
        with pytest.raises(ValueError, match=r"browsers do not understand|number of seconds|visible ASCII"):
            security_headers(**options)

    def test_right_values_pass(self) -> None:
        """What the specifications allow is allowed."""
        policy = {
            "default-src": ("'self'", "https://*.example.org:443/path/", "data:", "blob:"),
            "script-src": ["'sha256-abc+/='", NONCE],
            "sandbox": "allow-scripts allow-forms",
            "trusted-types": "none",
            "upgrade-insecure-requests": "",
        }
        layer = security_headers(
            policy,
            "no-referrer",
            permissions='camera=(self "https://a.example.org"), fullscreen=*, usb=()',
            opener="unsafe-none",
            resources="cross-origin",
            reports="https://reports.example.org/csp?v=1",
            hsts=0,
        )
        assert Pipeline([layer]).names == ["security_headers"]

    @settings(deadline=None)
    @given(st.dictionaries(st.text(max_size=20) | st.sampled_from(["img-src", "script-src"]), st.text(max_size=30)))
    def test_no_text_gets_out_of_its_directive(self, policy: dict[str, str]) -> None:
        """Whatever is given: refused, or a header with exactly these directives."""
        try:
            text = policies.text(policies.parse(policy), None)
        except ValueError:
            return
        assert re.fullmatch(rb"[\x20-\x7e]*", text)
        assert [part.split()[0] for part in text.decode().split(";") if part] == list(policy)
