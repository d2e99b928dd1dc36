"""No route is open that was not declared so, and who is present in a request is gone with it."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.middleware import Pipeline, Request
from postrmagic_core.middleware.authentication import REFUSED, authentication
from postrmagic_core.middleware.authorization import authorization
from postrmagic_core.middleware.errors import errors
from postrmagic_core.security.access import Access, AccessDenied, Role, Roles, User, present, requires
from postrmagic_core.security.access_tokens import TokenUser, not_by_token
from postrmagic_core.security.oauth import Scope

from .conftest import _exchange

RULES = {
    "GET /api/media": "media:read",
    "POST /api/media": "media:create",
    "PATCH /api/media/*": "media:edit:own",
    "/admin/*": "user:manage",
}
PUBLIC = ["GET /", "/login", "/static/*"]
USERS = {
    "ann": User("7", frozenset({"user"})),
    "bob": User("8", frozenset({"user"})),
    "root": User("1", frozenset({"admin"})),
    "odd": User("9", frozenset()),
}


def by_header(request: Request) -> User | None:
    """Whoever the header names."""
    return USERS.get(request.headers.get("x-user") or "")


@pytest.fixture
def access() -> Access:
    """One that only decides."""
    units: Any = None
    roles = [
        Role("user", allow=["media:read", "media:create", "media:edit:own"]),
        Role("admin", allow=["*:*"]),
    ]
    return Access(Roles(roles, ["media:read", "media:create", "media:edit", "user:manage"]), units)


@pytest.fixture
def layers(access: Access) -> list[Any]:
    """The pipeline of a small application."""
    guard = authorization(access, RULES, public=PUBLIC, signed_in=["/me"])
    return [errors(), authentication(by_header), guard]


@pytest.fixture
def app(layers: list[Any], answer: Any) -> Any:
    """That application, which answers whatever comes through."""
    return Pipeline(layers).asgi(answer())


def user(name: str) -> list[tuple[bytes, bytes]]:
    """The header of a user."""
    return [(b"x-user", name.encode())] if name else []


MATRIX = {
    # route: nobody, without roles, user, admin
    ("GET", "/"): (200, 200, 200, 200),
    ("POST", "/"): (401, 403, 403, 403),
    ("POST", "/login"): (200, 200, 200, 200),
    ("GET", "/static/a/b.css"): (200, 200, 200, 200),
    ("GET", "/me"): (401, 200, 200, 200),
    ("GET", "/api/media"): (401, 403, 200, 200),
    ("HEAD", "/api/media"): (401, 403, 200, 200),
    ("GET", "/api/media/"): (401, 403, 200, 200),
    ("POST", "/api/media"): (401, 403, 200, 200),
    ("DELETE", "/api/media"): (401, 403, 403, 403),
    ("PATCH", "/api/media/5"): (401, 403, 200, 200),
    ("GET", "/api/media/5"): (401, 403, 403, 403),
    ("GET", "/admin"): (401, 403, 403, 200),
    ("GET", "/admin/users"): (401, 403, 403, 200),
    ("GET", "/adminx"): (401, 403, 403, 403),
    ("GET", "/nowhere"): (401, 403, 403, 403),
}


@pytest.mark.parametrize("route", MATRIX, ids=" ".join)
def test_every_route_for_every_role(route: tuple[str, str], app: Any, call: Any) -> None:
    """The table was filled in by hand; what is not declared is denied, to administrators too."""
    method, path = route
    found = [call(app, method=method, path=path, headers=user(name)).status for name in ("", "odd", "ann", "root")]
    assert tuple(found) == MATRIX[route]


def test_refusals_are_problem_documents(app: Any, call: Any) -> None:
    """With a challenge to nobody; neither says which permission is missing."""
    outcome = call(app, path="/admin")
    assert (outcome.status, json.loads(outcome.body)["code"]) == (401, "authentication.required")
    assert outcome.header("www-authenticate") == 'Bearer realm="api"'
    outcome = call(app, path="/admin", headers=user("ann"))
    assert (outcome.status, json.loads(outcome.body)["code"]) == (403, "access.denied")
    assert outcome.header("content-type") == "application/problem+json"
    assert outcome.header("www-authenticate") is None
    assert b"user:manage" not in outcome.body


@pytest.mark.parametrize(
    "path",
    ["//admin/x", "/static/../admin", "/static/./x", "/static//x", "/static/..", "/static\\..\\admin", "/static/\0"],
)
def test_a_path_that_may_be_read_as_another_is_refused(path: str, access: Access, call: Any, answer: Any) -> None:
    """Though it begins as a public one, and whatever the default is."""
    for default in ("deny", "signed_in"):
        guard = authorization(access, {}, public=["/*"], default=default)
        app = Pipeline([authentication(by_header), guard]).asgi(answer())
        assert call(app, path=path, headers=user("root")).status == 403


@settings(deadline=None)
@given(st.text(alphabet="/.*%\\ abmedin\n", max_size=20), st.sampled_from(["GET", "POST", "get", ""]))
def test_no_path_gets_in_that_is_not_declared(path: str, method: str) -> None:
    """Whatever it looks like."""
    units: Any = None
    access = Access(Roles([Role("admin", allow=["*:*"])]), units)
    guard = authorization(access, {"/admin/*": "user:manage"}, public=["GET /media"])
    reached: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    outcome = asyncio.run(_exchange(Pipeline([guard]).asgi(app), path=f"/{path}", method=method))
    public = method == "GET" and f"/{path}".rstrip("/") == "/media" and "//" not in path
    assert (outcome.status == 200) is public
    assert bool(reached) is public


def test_everyone_signed_in_can_be_the_default(access: Access, call: Any, answer: Any) -> None:
    """Rules and public routes hold all the same."""
    guard = authorization(access, RULES, public=PUBLIC, default="signed_in")
    app = Pipeline([authentication(by_header), guard]).asgi(answer())
    found = [
        call(app, path=path, headers=user(name)).status
        for path, name in (("/x", ""), ("/x", "odd"), ("/admin", "ann"), ("/", ""))
    ]
    assert found == [401, 200, 403, 200]


def test_without_authentication_nobody_is_somebody(access: Access, call: Any, answer: Any) -> None:
    """A pipeline that forgot it is closed, not open."""
    app = Pipeline([authorization(access, RULES, public=PUBLIC)]).asgi(answer())
    assert call(app, path="/api/media", headers=user("root")).status == 401


@pytest.mark.parametrize(
    ("rules", "options", "told"),
    [
        ({"media": "media:read"}, {}, "expected a route"),
        ({"post /media": "media:read"}, {}, "expected a route"),
        ({"/media*": "media:read"}, {}, r"'\*' stands only at the end"),
        ({"/*/edit": "media:edit"}, {}, r"'\*' stands only at the end"),
        ({"/media": "media:*"}, {}, r"without '\*'"),
        ({"/media": "media:eddit"}, {}, r"did you mean media:edit\?"),
        ({"/media": "media"}, {}, "is malformed"),
        ({"/api/*": "media:read", "POST /api/media": "media:create"}, {}, "'POST /api/media' is never reached"),
        ({"/media": "media:read"}, {"public": ["/media"]}, "declared twice"),
        ({}, {"public": ["/media"], "signed_in": ["/media"]}, "declared twice"),
        ({}, {"public": "/media"}, "public: expected a list of routes"),
        ({}, {"default": "allow"}, 'expected default="deny"'),
    ],
)
def test_a_rule_with_a_mistake_is_refused(rules: Any, options: Any, told: str, access: Access) -> None:
    """When the pipeline is made, and named."""
    with pytest.raises(ConfigurationError, match=told):
        authorization(access, rules, **options)


def test_a_public_route_opens_nothing_that_a_rule_closes(access: Access, call: Any, answer: Any) -> None:
    """Rules are looked at first, whatever else matches."""
    app = Pipeline([authorization(access, {"/admin/*": "user:manage"}, public=["/*"])]).asgi(answer())
    assert [call(app, path=path).status for path in ("/anything", "/admin/x")] == [200, 401]


@requires("media:edit", obj="media")
def rename(media: Any) -> None:
    """A service function."""


def test_who_asks_is_present_in_the_application_and_gone_afterwards(layers: list[Any], call: Any) -> None:
    """So that service functions ask about the object; what they refuse is answered."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(present())
        rename(SimpleNamespace(owner_id=7))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    pipeline = Pipeline(layers).asgi(app)
    found = [call(pipeline, method="PATCH", path="/api/media/5", headers=user(name)) for name in ("ann", "bob", "root")]
    assert [outcome.status for outcome in found] == [204, 403, 204]
    assert [each.who.id for each in seen] == ["7", "8", "1"]
    assert present() is None


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (AccessDenied("x"), 403, "access.denied"),
        (AccessDenied("x", hidden=True), 404, "not_found"),
        (AccessDenied("x", nobody=True), 401, "authentication.required"),
    ],
)
def test_a_denial_of_the_application_is_answered(
    error: AccessDenied, status: int, code: str, layers: list[Any], call: Any, failing: Any
) -> None:
    """As what it is, also where that the object exists must not be told."""
    outcome = call(Pipeline(layers).asgi(failing(error)), path="/login")
    assert (outcome.status, json.loads(outcome.body)["code"]) == (status, code)


def test_requests_at_once_do_not_see_each_other(layers: list[Any]) -> None:
    """Fifty of two users, which take turns."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        said = present()
        assert said is not None
        assert said.who is not None
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": said.who.id.encode()})

    pipeline = Pipeline(layers).asgi(app)

    async def all_of_them() -> Any:
        names = ["ann", "bob"] * 25
        return await asyncio.gather(*(_exchange(pipeline, path="/me", headers=user(name)) for name in names))

    assert [outcome.body for outcome in asyncio.run(all_of_them())] == [b"7", b"8"] * 25


def test_requests_of_one_context_do_not_inherit_who_was_present(layers: list[Any], access: Access) -> None:
    """One after the other in the same task, as some servers serve a connection; a public route has nobody."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        said = present()
        seen.append(said.who if said else "nothing said")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    guarded, bare = Pipeline(layers).asgi(app), Pipeline([errors()]).asgi(app)

    async def connection() -> None:
        await _exchange(guarded, path="/me", headers=user("ann"))
        await _exchange(guarded, path="/login")
        await _exchange(bare, path="/me", headers=user("ann"))

    asyncio.run(connection())
    assert seen == [USERS["ann"], None, "nothing said"]


def test_it_serves_wsgi(layers: list[Any]) -> None:
    """The same rules, the same answers."""
    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        rename(SimpleNamespace(owner_id="7"))
        said = present()
        seen.append(said and said.who)
        start_response("200 OK", [])
        return [b"hello"]

    pipeline = Pipeline(layers).wsgi(app)

    def status(path: str, name: str, method: str = "GET") -> str:
        environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": method, "HTTP_X_USER": name}
        setup_testing_defaults(environ)
        said: list[str] = []
        body = pipeline(environ, lambda status, headers, exc_info=None: said.append(status))
        b"".join(body)
        getattr(body, "close", lambda: None)()
        return said[0][:3]

    assert status("/admin", "") == "401"
    assert status("/admin", "ann") == "403"
    assert status("/api/media/1", "ann", "PATCH") == "200"
    assert status("/api/media/1", "bob", "PATCH") == "403"
    assert seen == [USERS["ann"]]
    assert present() is None


def test_websockets_are_refused_alike(app: Any) -> None:
    """Before the application sees them."""

    async def connect(name: str) -> list[Any]:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/admin", "query_string": b"", "headers": user(name), "extensions": {}}
        await app(scope, receive, send)
        return sent

    assert asyncio.run(connect("ann"))[0]["type"] == "websocket.close"


def test_frameworks_answer_what_their_handlers_refuse(layers: list[Any], call: Any) -> None:
    """In Starlette, where endpoints may run in a thread, who is present is found there too."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from postrmagic_core.integrations.starlette import install

    def threaded(request: Any) -> Any:
        said = present()
        assert said is not None
        assert said.who is not None
        return PlainTextResponse(said.who.id)

    def refused(request: Any) -> Any:
        rename(SimpleNamespace(owner_id=7))

    routes = [Route("/me", threaded), Route("/api/media/5", refused, methods=["PATCH"])]
    app = install(Starlette(routes=routes), Pipeline(layers))
    assert call(app, path="/me", headers=user("bob")).body == b"8"
    assert call(app, method="PATCH", path="/api/media/5", headers=user("bob")).status == 403


def test_flask_answers_what_its_views_refuse(layers: list[Any]) -> None:
    """A decorated view is asked about who is present, in its own request."""
    from flask import Flask

    from postrmagic_core.integrations.flask import install

    app = Flask(__name__)

    @app.get("/me")
    @requires("user:manage")
    def me() -> str:
        return "done"

    client = install(app, Pipeline(layers)).test_client()
    found = [client.get("/me", headers={"x-user": name}).status_code for name in ("", "ann", "root", "ann")]
    assert found == [401, 403, 200, 403]


NAMED = {
    "GET /media/{id}": "media:read",
    "GET /media/{id}/file": "media:edit",
    "/media/{id}/{part}": "user:manage",
    "PATCH /media/mine": "media:edit:own",
}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        # nobody, user, admin
        ("GET /media/7", (401, 200, 200)),
        ("HEAD /media/7", (401, 200, 200)),
        ("GET /media/{id}", (401, 200, 200)),
        ("GET /media/*", (401, 200, 200)),
        ("POST /media/7", (401, 403, 403)),
        ("GET /media/7/file", (401, 403, 200)),
        ("POST /media/7/file", (401, 403, 200)),
        ("GET /media/7/other", (401, 403, 200)),
        ("GET /media/7/file/x", (401, 403, 403)),
        ("GET /media", (401, 403, 403)),
        ("GET /media/", (401, 403, 403)),
        ("GET /media//file", (401, 403, 403)),
        ("GET /media/../file", (401, 403, 403)),
        # What is written out comes first, wherever it stands.
        ("GET /media/latest", (200, 200, 200)),
        ("PATCH /media/mine", (401, 200, 200)),
        ("GET /media/mine", (401, 200, 200)),
        ("GET /media/latest/file", (401, 403, 200)),
    ],
)
def test_a_name_in_braces_stands_for_one_segment(
    line: str, found: tuple[int, ...], access: Access, call: Any, answer: Any
) -> None:
    """Any one, and never two or none."""
    guard = authorization(access, NAMED, public=["GET /media/latest"])
    app = Pipeline([authentication(by_header), guard]).asgi(answer())
    method, path = line.split(" ")
    assert tuple(call(app, method=method, path=path, headers=user(who)).status for who in ("", "ann", "root")) == found


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"/media/{id}": "media:read", "GET /media/{name}": "media:read"}, "'GET /media/{name}' is never reached"),
        ({"/media/*": "media:read", "/media/{id}": "media:read"}, "'/media/{id}' is never reached"),
        ({"/media/{id}x": "media:read"}, "braces stand around a whole segment"),
        ({"/media/{}": "media:read"}, "braces stand around a whole segment"),
        ({"/media/{a-b}": "media:read"}, "braces stand around a whole segment"),
        ({"/media/}": "media:read"}, "braces stand around a whole segment"),
    ],
)
def test_a_rule_with_braces_may_have_mistakes(rules: dict[str, str], told: str, access: Access) -> None:
    """They are refused when the pipeline is made."""
    with pytest.raises(ConfigurationError, match=told):
        authorization(access, rules)


def test_a_rule_beneath_holds_by_its_place(access: Access, call: Any, answer: Any) -> None:
    """What stands before it is looked at before, what stands after it is not reached by name either."""
    rules = {"/media/{id}": "media:read", "/media/*": "user:manage"}
    guard = authorization(access, rules, public=["/media/latest"])
    app = Pipeline([authentication(by_header), guard]).asgi(answer())
    found = [call(app, path=f"/media/{path}", headers=user("ann")).status for path in ("7", "7/file", "latest")]
    assert found == [200, 403, 403]


_ROUTES = st.lists(
    st.tuples(
        st.sampled_from(["", "GET ", "POST "]),
        st.lists(st.sampled_from(["a", "b", "{x}"]), min_size=1, max_size=3),
        st.sampled_from(["", "/*"]),
        st.sampled_from(["media:read", "media:edit", None]),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(_ROUTES, st.lists(st.sampled_from("abc"), min_size=1, max_size=4), st.sampled_from(["GET", "POST", "PUT"]))
def test_the_table_finds_what_going_through_all_would(routes: Any, segments: list[str], method: str) -> None:
    """A route beneath which everything is holds by its place; of the others what is written out comes first."""
    units: Any = None
    access = Access(Roles([Role("admin", allow=["*:*"])], ["media:read", "media:edit"]), units)
    rules = {f"{verb}/{'/'.join(path)}{tail}": need for verb, path, tail, need in routes if need}
    public = [route for verb, path, tail, need in routes if not need and (route := f"{verb}/{'/'.join(path)}{tail}")]
    try:
        guard = authorization(access, rules, public=set(public))
    except ConfigurationError:
        return

    def fits(route: str) -> bool:
        verb, _, path = route.rpartition(" ")
        beneath, own = path.endswith("/*"), path.removesuffix("/*")[1:].split("/")
        alike = len(segments) >= len(own) if beneath else len(segments) == len(own)
        return verb in ("", method) and alike and all(x in ("{x}", y) for x, y in zip(own, segments, strict=False))

    found = [(place, route, need) for place, (route, need) in enumerate([*rules.items()]) if fits(route)]
    found += [(len(rules), route, None) for route in set(public) if fits(route)]
    beneath = [one for one in found if one[1].endswith("/*")][:1]
    itself = [one for one in found if not one[1].endswith("/*")]
    itself.sort(key=lambda one: ([part == "{x}" for part in one[1].split("/")[1:]], one[0]))
    # Public ones come after all rules, and with none of them it does not matter which.
    best = min([*itself[:1], *beneath], default=None, key=lambda one: one[0])
    expected = 401 if best is None or best[2] else 200
    outcome = asyncio.run(_exchange(Pipeline([guard]).asgi(_passed), path="/" + "/".join(segments), method=method))
    assert outcome.status == expected


async def _passed(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Service:
    """An identity of another kind than ours."""

    def __init__(self, scopes: frozenset[str] | None) -> None:
        self.id = "7"
        self.roles = frozenset({"user"})
        self.scopes = scopes


LIMITED: dict[str, Any] = {
    "all": TokenUser("7", frozenset({"user"}), None, "t"),
    "read": TokenUser("7", frozenset({"user"}), frozenset({"media:read"}), "t"),
    "nothing": TokenUser("7", frozenset({"user"}), frozenset(), "t"),
    "root": TokenUser("1", frozenset({"admin"}), frozenset({"media:read", "media:edit:own"}), "t"),
    "other": Service(frozenset({"media:read"})),
}


def by_token(request: Request) -> Any:
    """Who a token is of; what is none is refused."""
    given = request.headers.get("authorization") or ""
    return LIMITED.get(given.removeprefix("Bearer "), REFUSED) if given.startswith("Bearer ") else by_header(request)


def token(name: str) -> list[tuple[bytes, bytes]]:
    """The header."""
    return [(b"authorization", f"Bearer {name}".encode())]


@pytest.fixture
def guarded(access: Access, answer: Any) -> Any:
    """The small application, asked by tokens."""

    def make(**options: Any) -> Any:
        guard = authorization(access, RULES, public=PUBLIC, signed_in=["/me"], **options)
        return Pipeline([errors(), authentication(by_token), guard]).asgi(answer())

    return make


@pytest.mark.parametrize(
    ("method", "path", "name", "told"),
    [
        ("POST", "/api/media", "read", "media:create"),
        ("POST", "/api/media", "nothing", "media:create"),
        ("POST", "/api/media", "other", "media:create"),
        ("PATCH", "/api/media/5", "read", "media:edit:own"),
        ("GET", "/admin", "root", "user:manage"),
        ("GET", "/admin", "read", None),  # its owner may not either
        ("GET", "/admin", "all", None),
        ("DELETE", "/api/media", "read", None),  # nobody may
        ("GET", "/nowhere", "read", None),
    ],
)
def test_a_token_that_does_not_reach_is_told_what_would(
    method: str, path: str, name: str, told: str | None, guarded: Any, call: Any
) -> None:
    """RFC 6750, section 3.1: where its owner may what the token does not say; else no scope would help."""
    outcome = call(guarded(), method=method, path=path, headers=token(name))
    assert (outcome.status, json.loads(outcome.body)["code"]) == (403, "access.denied")
    said = f'Bearer realm="api", error="insufficient_scope", scope="{told}"'
    assert outcome.header("www-authenticate") == (said if told else None)


def test_a_scope_is_told_by_the_name_that_clients_know(guarded: Any, call: Any) -> None:
    """The first that covers it; none where none does."""
    scopes = [
        Scope("media.read", ["media:read"], "See"),
        Scope("media.own", ["media:edit:own", "media:create:own"], "Change yours"),
        Scope("media", ["media:*"], "All"),
    ]
    app = guarded(scopes=scopes)
    found = [
        call(app, method=method, path=path, headers=token("read" if "media" in path else "root"))
        for method, path in (("POST", "/api/media"), ("PATCH", "/api/media/5"), ("GET", "/admin"))
    ]
    assert [outcome.header("www-authenticate") for outcome in found] == [
        'Bearer realm="api", error="insufficient_scope", scope="media"',
        'Bearer realm="api", error="insufficient_scope", scope="media.own"',
        'Bearer realm="api", error="insufficient_scope"',
    ]


def test_no_scope_helps_where_no_token_may(access: Access, call: Any, answer: Any) -> None:
    """A policy that denies every token is not a matter of its scope."""
    access.policy("media:create")(not_by_token)
    guard = authorization(access, RULES, public=PUBLIC)
    app = Pipeline([errors(), authentication(by_token), guard]).asgi(answer())
    outcome = call(app, method="POST", path="/api/media", headers=token("read"))
    assert (outcome.status, outcome.header("www-authenticate")) == (403, None)


def test_only_bearers_of_tokens_are_told_of_scopes(guarded: Any, call: Any, monkeypatch: Any) -> None:
    """An identity that is limited otherwise has no token to exchange."""
    monkeypatch.setitem(USERS, "ann", LIMITED["read"])
    outcome = call(guarded(), method="POST", path="/api/media", headers=user("ann"))
    assert (outcome.status, outcome.header("www-authenticate")) == (403, None)


def test_a_refused_token_is_told_so_where_somebody_is_needed(guarded: Any, call: Any) -> None:
    """And is nobody where nobody is needed: the page to log in is there for it, too."""
    app = guarded()
    for path in ("/me", "/admin", "/nowhere", "/api/media"):
        outcome = call(app, path=path, headers=token("x"))
        assert (outcome.status, json.loads(outcome.body)["code"]) == (401, "authentication.required")
        assert outcome.header("www-authenticate") == 'Bearer realm="api", error="invalid_token"'
        assert call(app, path=path).header("www-authenticate") == 'Bearer realm="api"'
    assert call(app, path="/login", headers=token("x")).status == 200


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (AccessDenied("x", permission="media:create"), 403, 'insufficient_scope", scope="media:create"'),
        (AccessDenied("x", permission="media:create", hidden=True), 404, None),
        (AccessDenied("x", permission="media:edit"), 403, None),  # of an object that is not theirs
        (AccessDenied("x", permission="media:read"), 403, None),  # the token says so
        (AccessDenied("x", permission="no permission"), 403, None),
        (AccessDenied("x"), 403, None),
    ],
)
def test_what_the_application_denies_a_token_is_told_alike(
    error: AccessDenied, status: int, told: str | None, access: Access, call: Any, failing: Any
) -> None:
    """Without the object, which is the application's; of what is hidden nothing is told."""
    layers = [errors(), authentication(by_token), authorization(access, RULES, public=PUBLIC)]
    outcome = call(Pipeline(layers).asgi(failing(error)), path="/api/media", headers=token("read"))
    assert outcome.status == status
    assert outcome.header("www-authenticate") == (f'Bearer realm="api", error="{told}' if told else None)


def test_an_identity_is_left_as_it_is(access: Access, call: Any, answer: Any) -> None:
    """What is asked about a scope changes nobody's."""
    guard = authorization(access, RULES, public=PUBLIC)
    app = Pipeline([errors(), authentication(by_token), guard]).asgi(answer())
    for _ in range(2):
        for name in ("read", "other"):
            assert call(app, method="POST", path="/api/media", headers=token(name)).status == 403
            assert LIMITED[name].scopes == {"media:read"}
