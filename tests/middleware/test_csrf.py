"""Another site cannot make a browser write here, whatever the browser tells about it."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postrmagic_core._crypto import KeyRing
from postrmagic_core.errors import ConfigurationError, UsageError
from postrmagic_core.middleware import AsyncLayer, Pipeline, Request
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores.adapters.memory import MemoryStore
from tests.backends import Flaky

OLD, NEW = "a7Rk2mQ9xW4vT1pL8sD3fG6hJ0zXcVbN", "q8Zt5nB2yH7uE4wK1oC9iM6jR3gVxSdF"
KEYS = KeyRing([OLD])
FORM = (b"content-type", b"application/x-www-form-urlencoded")


class TestHeaders:
    """What a browser says of a request's origin decides."""

    @pytest.mark.parametrize(
        ("headers", "passes"),
        [
            ({}, True),
            ({"sec-fetch-site": "same-origin"}, True),
            ({"sec-fetch-site": "none"}, True),
            ({"sec-fetch-site": "cross-site"}, False),
            ({"sec-fetch-site": "same-site"}, False),
            ({"sec-fetch-site": "unheard-of"}, False),
            ({"sec-fetch-site": "cross-site", "origin": "https://admin.example.org"}, True),
            ({"origin": "https://example.org"}, True),
            ({"origin": "https://EXAMPLE.org"}, True),
            ({"origin": "https://example.org.evil.net"}, False),
            ({"origin": "https://evil-example.org"}, False),
            ({"origin": "https://example.org:8443"}, False),
            ({"origin": "https://admin.example.org.evil.net"}, False),
            ({"origin": "null"}, False),
            ({"origin": "https://[bad"}, False),
            ({"origin": "chrome-extension://example.org"}, False),
            ({"origin": "//example.org"}, False),
            ({"origin": ""}, False),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("keys", [None, KEYS], ids=["headers alone", "with tokens"])
    def test_unsafe_methods_need_the_same_site(
        self, headers: dict[str, str], passes: bool, keys: KeyRing | None, call: Any, answer: Any
    ) -> None:
        """By Sec-Fetch-Site, else by Origin against Host (ASVS 3.5.1)."""
        with SessionStore(MemoryStore(), KEYS) as store:
            layers = [sessions(store), csrf(["https://admin.example.org"], keys=keys)]
            app = Pipeline(layers).asgi(answer())
            pairs = [(b"host", b"example.org"), *((key.encode(), value.encode()) for key, value in headers.items())]
            for method in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND"):
                assert call(app, method=method, headers=pairs).status == (200 if passes else 403)
            for method in ("GET", "HEAD", "OPTIONS"):
                assert call(app, method=method, headers=pairs).status == 200

    def test_doubled_headers_do_not_help(self, call: Any, answer: Any) -> None:
        """Given two Origins or two Sec-Fetch-Sites, one of which is foreign, the request is refused."""
        app = Pipeline([csrf(["https://admin.example.org"])]).asgi(answer())
        ours, theirs = (b"origin", b"https://admin.example.org"), (b"origin", b"https://evil.net")
        sites = [(b"sec-fetch-site", b"same-origin"), (b"sec-fetch-site", b"cross-site")]
        for headers in ([ours, theirs], [theirs, ours], sites, [(b"origin", b"https://example.org")]):
            assert call(app, method="POST", headers=headers).status == 403

    def test_a_page_without_tls_is_another_site(self, call: Any, answer: Any) -> None:
        """Given a request over HTTPS, http: of the same host is whoever sits on the network between."""
        app = Pipeline([csrf()]).asgi(answer())
        for scheme, origin, status in (
            ("https", b"http://example.org", 403),
            ("https", b"https://example.org", 200),
            ("http", b"https://example.org", 200),
            ("http", b"http://example.org", 200),
        ):
            headers = [(b"host", b"example.org"), (b"origin", origin)]
            assert call(app, method="POST", scheme=scheme, headers=headers).status == status

    @pytest.mark.parametrize("origin", ["example.org", "https://example.org/", "https://", "*"])
    def test_a_trusted_origin_must_be_one(self, origin: str) -> None:
        """A wildcard or a URL with a path would never match: it is refused when built."""
        with pytest.raises(ValueError, match="expected an origin"):
            csrf([origin])


async def site(scope: Any, receive: Any, send: Any) -> None:
    """A page with a form, one that begins a session too, a login, and whatever takes a form: it echoes the body."""
    state, path, body = scope["state"], scope["path"], b""
    message = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    if path == "/login":
        (await state["session"]).login(scope["query_string"].decode() or "alice")
    elif path == "/logout":
        (await state["session"]).logout()
    elif path == "/cart":
        (await state["session"]).data["cart"] = [1]
    if path in {"/form", "/cart"}:
        body = (await state["csrf_token"]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


class Visitor:
    """A client that keeps its cookies, and says nothing of where its requests come from."""

    def __init__(self, app: Any, call: Any) -> None:
        self.cookies: dict[str, str] = {}
        self._app = app
        self._call = call

    def get(self, path: str, **options: Any) -> Any:
        """Ask, and take the cookies of the answer."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = [*options.pop("headers", []), *([(b"cookie", cookie.encode())] if cookie else [])]
        outcome = self._call(self._app, path=path, headers=headers, **options)
        for key, value in outcome.messages[0]["headers"]:
            if key == b"set-cookie":
                name, _, rest = value.decode().partition("=")
                self.cookies[name] = rest.partition(";")[0]
                if "Max-Age=0" in rest:
                    del self.cookies[name]
        return outcome

    def token(self, path: str = "/form") -> str:
        """The token of a page."""
        return str(self.get(path).body.decode())

    def post(self, token: str | None = None, path: str = "/act", **options: Any) -> int:
        """The status of a POST with the token in the header."""
        headers = [*options.pop("headers", []), *([(b"x-csrf-token", token.encode())] if token is not None else [])]
        return int(self.get(path, method="POST", headers=headers, **options).status)

    def submit(self, fields: dict[str, str], path: str = "/act") -> Any:
        """A form, urlencoded."""
        return self.get(path, method="POST", headers=[FORM], body=(urlencode(fields).encode(),))


@pytest.fixture
def store() -> Iterator[Flaky]:
    """The store behind the sessions."""
    store = Flaky()
    yield store
    store.close()


@pytest.fixture
def visitor(store: Flaky, call: Any) -> Iterator[Any]:
    """``visitor()`` is a new client of the site; options are those of ``csrf``."""
    with SessionStore(store, KEYS) as manager:

        def make(**options: Any) -> Visitor:
            layers = [errors(), sessions(manager), csrf(**{"keys": KEYS, **options})]
            return Visitor(Pipeline(layers).asgi(site), call)

        yield make


class TestTokens:
    """A request that carries cookies, and no word of where it comes from, needs its session's token."""

    def test_a_token_of_the_session_passes(self, visitor: Any) -> None:
        """Given a visitor who is logged in, the token of a page they were given passes, any number of times."""
        alice = visitor()
        alice.post(path="/login")
        token = alice.token()
        assert [alice.post(token), alice.post(token), alice.post()] == [200, 200, 403]

    def test_a_client_without_cookies_needs_none(self, visitor: Any) -> None:
        """Given no cookie, nobody's rights are with the request: programs work as before."""
        assert visitor().post() == 200

    def test_a_browser_that_says_same_origin_needs_none(self, visitor: Any) -> None:
        """Given Sec-Fetch-Site or Origin, the token is not asked for."""
        alice = visitor()
        alice.post(path="/login")
        assert alice.post(headers=[(b"sec-fetch-site", b"same-origin")]) == 200
        assert alice.post(headers=[(b"host", b"a.example.org"), (b"origin", b"https://a.example.org")]) == 200

    def test_always_means_always(self, visitor: Any) -> None:
        """Given token="always", what the headers say is not enough, and a client without cookies needs one too."""
        alice = visitor(token="always")
        same = (b"sec-fetch-site", b"same-origin")
        assert [alice.post(headers=[same]), alice.post()] == [403, 403]
        token = alice.token()
        assert alice.post(token, headers=[same]) == 200
        assert alice.post(token, headers=[(b"sec-fetch-site", b"cross-site")]) == 403, "nor is a token"

    def test_every_token_is_another_text(self, visitor: Any) -> None:
        """No two tokens of a session share a beginning: compression tells nothing of them (BREACH)."""
        alice = visitor()
        tokens = [alice.token() for _ in range(50)]
        assert len({token[:6] for token in tokens}) == 50
        assert {alice.post(token) for token in tokens} == {200}

    def test_a_token_of_another_session_is_refused(self, visitor: Any) -> None:
        """Neither of another user, nor of another session of the same user, nor of a visitor nobody knows (3.5.1)."""
        alice, again, mallory, stranger = (visitor() for _ in range(4))
        alice.post(path="/login")
        again.post(path="/login")
        mallory.post(path="/login", query_string=b"mallory")
        for other in (again, mallory, stranger):
            assert alice.post(other.token()) == 403
        assert stranger.post(alice.token()) == 403
        assert mallory.post(stranger.token()) == 403

    @pytest.mark.parametrize("first", ["/form", "/cart"])
    def test_a_token_of_before_the_login_is_refused_after_it(self, first: str, visitor: Any) -> None:
        """Given a form from before, with or without a session then, the new session's id has ended it."""
        alice = visitor()
        before = alice.token(first)
        assert alice.post(before, path="/login") == 200
        assert alice.post(before) == 403
        during = alice.token()
        assert alice.post(during) == 200
        assert alice.post(during, path="/login") == 200, "rights grew: the id changes again"
        assert alice.post(during) == 403

    def test_a_token_of_before_the_logout_is_refused_after_it(self, visitor: Any) -> None:
        """Given a session that is over, so are its tokens, for whoever still has its cookie too."""
        alice = visitor()
        alice.post(path="/login")
        token, cookies = alice.token(), dict(alice.cookies)
        assert alice.post(token, path="/logout") == 200
        assert alice.cookies == {}
        alice.cookies = cookies
        assert alice.post(token) == 403

    def test_a_first_page_may_begin_a_session(self, visitor: Any) -> None:
        """Given a page that shows a form and stores something, its token passes with the session it began."""
        alice = visitor()
        token = alice.token("/cart")
        assert set(alice.cookies) == {"__Host-csrf", "__Host-session"}
        assert alice.post(token) == 200
        assert alice.post(alice.token()) == 200

    def test_a_visitors_cookie_is_as_strict_as_the_sessions(self, visitor: Any) -> None:
        """Set once, when a token is first asked for: __Host-, Secure, HttpOnly, SameSite=Lax (ASVS 3.3.1 to 3.3.4)."""
        alice = visitor()
        assert alice.get("/").header("set-cookie") is None
        outcome = alice.get("/form")
        name, _, rest = outcome.header("set-cookie").partition("=")
        assert name == "__Host-csrf"
        assert {part.strip() for part in rest.split(";")[1:]} == {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"}
        assert (outcome.header("cache-control"), outcome.header("vary")) == ("no-store", "Cookie")
        assert alice.get("/form").header("set-cookie") is None
        plain = visitor(cookie_secure=False, cookie_name="form").get("/form").header("set-cookie")
        assert plain.startswith("form=")
        assert "Secure" not in plain

    @pytest.mark.parametrize("value", ["", "x", "../../etc", "A" * 63, "é" * 64, "A" * 65])
    def test_a_visitors_cookie_that_nobody_made_is_replaced(self, value: str, visitor: Any) -> None:
        """What does not look like one of ours is not bound to."""
        alice = visitor()
        alice.cookies["__Host-csrf"] = value
        token = alice.token()
        assert alice.cookies["__Host-csrf"] != value
        assert alice.post(token) == 200

    def test_damaged_tokens_are_refused(self, visitor: Any) -> None:
        """Truncated, lengthened, changed in any place, of another alphabet, or twice."""
        alice = visitor()
        token = alice.token()
        damaged = [token[:-1], token[1:], token + "A", token[:32], token + "=", "", " ", "A" * 64, token.swapcase()]
        damaged += [token[:at] + ("B" if token[at] == "A" else "A") + token[at + 1 :] for at in range(64)]
        damaged += [token.replace(token[0], "é", 1), f"{token}\n", f"{token}, {token}"]
        for wrong in damaged:
            header = (b"x-csrf-token", wrong.encode())
            assert alice.get("/act", method="POST", headers=[header]).status == 403, wrong
        assert alice.post(token, headers=[(b"x-csrf-token", token.encode())]) == 403
        assert alice.post(token) == 200

    def test_signatures_for_other_purposes_are_refused(self, visitor: Any, store: Flaky) -> None:
        """The same key's HMAC of the same message, made for something else, is no token."""
        alice = visitor()
        alice.post(path="/login")
        with SessionStore(store, KEYS) as manager:
            anchor = manager.load(alice.cookies["__Host-session"]).anchor
        assert anchor is not None
        salt, owner = b"0123456789abcdef", b"session:" + anchor
        for keys, purpose, status in (
            (KEYS, "csrf-token", 200),
            (KEYS, "session-id", 403),
            (KEYS, "csrf", 403),
            (KeyRing([NEW]), "csrf-token", 403),
        ):
            token = base64.urlsafe_b64encode(salt + keys.mac(salt + owner, purpose=purpose)).decode()
            assert alice.post(token) == status

    def test_a_visitor_cannot_pass_for_a_session(self, visitor: Any) -> None:
        """Given somebody who plants a visitor's cookie they know, its token is worth nothing once one is logged in."""
        mallory, alice = visitor(), visitor()
        token = mallory.token()
        alice.post(path="/login")
        alice.cookies["__Host-csrf"] = mallory.cookies["__Host-csrf"]
        assert alice.post(token) == 403

    def test_keys_can_be_rotated(self, visitor: Any) -> None:
        """Given a new key in front, tokens of the old one pass and new ones are the new key's."""
        alice, later, last = visitor(), visitor(keys=KeyRing([NEW, OLD])), visitor(keys=KeyRing([NEW]))
        alice.post(path="/login")
        later.cookies = last.cookies = alice.cookies
        old, new = alice.token(), later.token()
        assert (later.post(old), later.post(new)) == (200, 200)
        assert (last.post(old), last.post(new)) == (403, 200)

    def test_a_query_never_carries_it(self, visitor: Any) -> None:
        """Given the token in the URL, where logs and referrers would spread it, the request is refused."""
        alice = visitor()
        token = alice.token()
        assert alice.post(query_string=f"csrf_token={token}&x-csrf-token={token}".encode()) == 403

    @given(st.text(max_size=80) | st.binary(max_size=80))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
    def test_nothing_else_passes(self, visitor: Any, text: str | bytes) -> None:
        """Whatever is sent as a token: 403."""
        alice = visitor()
        alice.cookies = {"__Host-csrf": "A" * 64}
        raw = text if isinstance(text, bytes) else text.encode()
        assert alice.get("/act", method="POST", headers=[(b"x-csrf-token", raw)]).status == 403
        body = b"csrf_token=" + raw
        assert alice.get("/act", method="POST", headers=[FORM], body=(body,)).status == 403


class TestForms:
    """The token is found in a form, which the application reads all the same."""

    def test_in_an_urlencoded_form(self, visitor: Any) -> None:
        """Wherever the field stands; the application gets every byte."""
        alice = visitor()
        token = alice.token()
        for fields in ({"csrf_token": token}, {"a": "1", "csrf_token": token}, {"csrf_token": token, "b": "2&3"}):
            outcome = alice.submit(fields)
            assert (outcome.status, outcome.body) == (200, urlencode(fields).encode())

    @pytest.mark.parametrize("name", ["xcsrf_token", "csrf_tokenx", "CSRF_TOKEN", "a%26csrf_token", "token"])
    def test_not_under_another_name(self, name: str, visitor: Any) -> None:
        """Only the field csrf_token counts."""
        alice = visitor()
        body = f"{name}={alice.token()}".encode()
        assert alice.get("/act", method="POST", headers=[FORM], body=(body,)).status == 403

    def test_in_a_multipart_form(self, visitor: Any) -> None:
        """As browsers write it, before files of any size, which are not held in memory."""
        alice = visitor()
        boundary = b"----WebKitFormBoundaryx"
        part = b'--%b\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n%b\r\n' % (
            boundary,
            alice.token().encode(),
        )
        file = b'--%b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' % boundary
        chunks = (part[:40], part[40:] + file, *[b"x" * 50_000] * 10, b"\r\n--%b--\r\n" % boundary)
        headers = [(b"content-type", b"multipart/form-data; boundary=" + boundary[2:])]
        outcome = alice.get("/act", method="POST", headers=headers, body=chunks)
        assert (outcome.status, outcome.body) == (200, b"".join(chunks))
        chunks = (file, *[b"x" * 50_000] * 2, b"\r\n" + part)
        assert alice.get("/act", method="POST", headers=headers, body=chunks).status == 403, "behind the file"

    def test_the_header_comes_first(self, visitor: Any) -> None:
        """Given a wrong header, a right field does not help."""
        alice = visitor()
        token = alice.token()
        body = urlencode({"csrf_token": token}).encode()
        headers = [FORM, (b"x-csrf-token", b"x")]
        assert alice.get("/act", method="POST", headers=headers, body=(body,)).status == 403

    @pytest.mark.parametrize("kind", [b"text/plain", b"application/json", b""])
    def test_another_type_is_no_form(self, kind: bytes, visitor: Any) -> None:
        """Given the field in a text or in JSON, it is not looked for."""
        alice = visitor()
        body = urlencode({"csrf_token": alice.token()}).encode()
        assert alice.get("/act", method="POST", headers=[(b"content-type", kind)], body=(body,)).status == 403

    def test_only_the_head_of_a_form_is_searched(self, visitor: Any) -> None:
        """Given 65,536 bytes before the field, it is not found; nor is a body without end read to its end."""
        alice = visitor()
        assert alice.submit({"a": "x" * 65_000, "csrf_token": alice.token()}).status == 200
        assert alice.submit({"a": "x" * 65_600, "csrf_token": alice.token()}).status == 403

    def test_a_client_that_leaves_is_refused(self, visitor: Any) -> None:
        """Given half a form, nothing is done."""
        alice = visitor()
        alice.token()
        assert alice.get("/act", method="POST", headers=[FORM], body=()).status == 403

    def test_layers_further_in_may_read_the_body_too(self, store: Flaky, call: Any) -> None:
        """Given another layer that reads the body after csrf, each sees all of it, and so does the application."""
        seen = []

        async def reading(request: Request) -> AsyncLayer:
            seen.append(await request.read_body(1000))
            yield

        with SessionStore(store, KEYS) as manager:
            layers = [sessions(manager), csrf(keys=KEYS), reading]
            alice = Visitor(Pipeline(layers).asgi(site), call)
            fields = {"csrf_token": alice.token(), "a": "1"}
            outcome = alice.submit(fields)
        assert (outcome.status, outcome.body, seen[-1]) == (200, urlencode(fields).encode(), outcome.body)


class TestOrder:
    """csrf stands where it costs least and is told most."""

    def test_what_headers_refuse_reads_no_session(self, visitor: Any, store: Flaky) -> None:
        """Given another site's request with the session's cookie, the store is not asked."""
        alice = visitor()
        alice.post(path="/login")
        store.asked = 0
        assert alice.post(headers=[(b"sec-fetch-site", b"cross-site")]) == 403
        assert alice.post(headers=[(b"host", b"a"), (b"origin", b"https://evil.net")]) == 403
        assert alice.post(headers=[(b"sec-fetch-site", b"same-origin")]) == 200
        assert alice.get("/").status == 200
        assert alice.post("no token at all") == 403
        assert store.asked == 0

    def test_tokens_need_sessions_further_out(self, store: Flaky) -> None:
        """With keys, an order that hides the session is refused; without, either order will do."""
        with SessionStore(store, KEYS) as manager:
            with pytest.raises(ConfigurationError, match="csrf must stand inside sessions"):
                Pipeline([errors(), csrf(keys=KEYS), sessions(manager)])
            for layers in ([errors(), csrf(), sessions(manager)], [errors(), sessions(manager), csrf()]):
                assert "csrf" in Pipeline(layers).names

    def test_without_sessions_it_says_so(self, call: Any, answer: Any) -> None:
        """Given keys and no sessions at all, the first request tells what is missing."""
        outcome = call(Pipeline([csrf(keys=KEYS)]).asgi(answer()))
        assert isinstance(outcome.error, UsageError)
        assert "put sessions" in str(outcome.error)

    def test_a_store_that_is_away_closes(self, visitor: Any, store: Flaky) -> None:
        """S1: a token that cannot be checked is not accepted: 503, and the cookies stay."""
        alice = visitor()
        alice.post(path="/login")
        token = alice.token()
        store.away = True
        assert alice.post(token) == 503
        assert set(alice.cookies) == {"__Host-session"}

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [({"token": "sometimes", "keys": KEYS}, "expected token="), ({"token": "always"}, "needs keys")],
        ids=str,
    )
    def test_wrong_options_are_refused(self, options: dict[str, Any], complaint: str) -> None:
        """When built, not at the first request."""
        with pytest.raises(ValueError, match=complaint):
            csrf(**options)

    def test_a_visitors_first_token_comes_before_the_head(self, store: Flaky, call: Any) -> None:
        """Given a token asked for when its cookie can no longer be set, the mistake is told."""

        async def late(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await scope["state"]["csrf_token"]

        with SessionStore(store, KEYS) as manager:
            outcome = call(Pipeline([sessions(manager), csrf(keys=KEYS)]).asgi(late))
        assert isinstance(outcome.error, UsageError)

    def test_a_login_and_a_token_do_not_go_into_one_page(self, store: Flaky, call: Any) -> None:
        """Given a first login, whose id is not known yet, asking for a token is a mistake that is told."""

        async def hasty(scope: Any, receive: Any, send: Any) -> None:
            (await scope["state"]["session"]).login("alice")
            await scope["state"]["csrf_token"]

        with SessionStore(store, KEYS) as manager:
            outcome = call(Pipeline([sessions(manager), csrf(keys=KEYS)]).asgi(hasty))
        assert isinstance(outcome.error, UsageError)
        assert "redirect" in str(outcome.error)

    def test_two_tasks_get_tokens_of_one_visitor(self, store: Flaky, call: Any) -> None:
        """Given a page made by two tasks, both tokens are bound to the one cookie that is set."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            token = scope["state"]["csrf_token"]

            async def ask() -> str:
                return str(await token)

            body = " ".join(await asyncio.gather(ask(), ask())).encode()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})

        with SessionStore(store, KEYS) as manager:
            alice = Visitor(Pipeline([sessions(manager), csrf(keys=KEYS)]).asgi(app), call)
            first, second = alice.token().split()
            assert (alice.post(first), alice.post(second)) == (200, 200)


def test_it_works_under_wsgi(store: Flaky) -> None:
    """The same rules, and the application reads the form's every byte."""
    cookies: dict[str, str] = {}

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        if environ["REQUEST_METHOD"] == "GET":
            return [environ["postrmagic.state"]["csrf_token"]().encode()]
        return [environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))]

    with SessionStore(store, KEYS) as manager:
        wrapped = Pipeline([errors(), sessions(manager), csrf(keys=KEYS)]).wsgi(app)

        def ask(method: str, body: bytes = b"", **environ: str) -> tuple[str, bytes]:
            given = {"REQUEST_METHOD": method, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
            cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
            started: list[Any] = []
            response: Any = wrapped({**given, "HTTP_COOKIE": cookie, **environ}, lambda *told: started.append(told))
            shown = b"".join(response)
            response.close()
            for name, value in started[0][1]:
                if name == "set-cookie":
                    cookies[value.partition("=")[0]] = value.partition("=")[2].partition(";")[0]
            return started[0][0], shown

        _, token = ask("GET")
        assert ask("POST")[0] == "403 Forbidden"
        assert ask("POST", HTTP_X_CSRF_TOKEN=token.decode())[0] == "200 OK"
        assert ask("POST", HTTP_SEC_FETCH_SITE="cross-site", HTTP_X_CSRF_TOKEN=token.decode())[0] == "403 Forbidden"
        form = urlencode({"a": "1", "csrf_token": token.decode()}).encode()
        assert ask("POST", form, CONTENT_TYPE="application/x-www-form-urlencoded") == ("200 OK", form)
        assert ask("POST", QUERY_STRING=form.decode())[0] == "403 Forbidden"
