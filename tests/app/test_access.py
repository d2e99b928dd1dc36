"""Who may do what in the media library: every route by every role, as a table, and every id by two users."""

from __future__ import annotations

import re

import pytest
from starlette.routing import Mount, Route

from media_library.library import NotFound
from media_library.roles import ADMIN, PUBLIC, ROLES, USER
from media_library.specification import SPECIFICATION
from postrmagic_core.errors import AccessDenied
from postrmagic_core.security.access import User as Identity
from tests.app.house import Browser, House
from tests.app.programs import Program
from tests.app.test_api import problem

NOBODY, SUSPENDED, TOKEN = "nobody", "suspended", "token"

# Route by route, who passes the guard: the answer behind it may still be 404 or 422, never 401 or 403.
EVERYBODY = {NOBODY, SUSPENDED, USER, ADMIN, TOKEN}
LOGGED_IN = {SUSPENDED, USER, ADMIN, TOKEN}
IN_PERSON = {SUSPENDED, USER, ADMIN}
WITH_A_LIBRARY = {USER, ADMIN, TOKEN}
TABLE: dict[tuple[str, str], set[str]] = {
    ("GET", "/"): EVERYBODY,
    ("GET", "/static/app.js"): EVERYBODY,
    ("GET", "/oauth/authorize"): EVERYBODY,
    ("GET", "/api/v1/openapi.json"): EVERYBODY,
    ("GET", "/api/v1/docs"): EVERYBODY,
    ("GET", "/api/v1/docs.css"): EVERYBODY,
    ("GET", "/problems/"): EVERYBODY,
    ("GET", "/problems/media.not_found"): EVERYBODY,
    ("POST", "/api/v1/signup"): EVERYBODY,
    ("POST", "/api/v1/login"): EVERYBODY,
    ("POST", "/api/v1/logout"): EVERYBODY,
    ("POST", "/api/v1/password-reset"): EVERYBODY,
    ("GET", "/api/v1/me"): LOGGED_IN,
    ("GET", "/api/v1/notifications"): LOGGED_IN,
    ("POST", "/api/v1/notifications/read"): LOGGED_IN,
    ("POST", "/api/v1/account/password"): IN_PERSON,
    ("GET", "/api/v1/account/factor"): IN_PERSON,
    ("POST", "/api/v1/account/factor"): IN_PERSON,
    ("POST", "/api/v1/account/factor/confirm"): IN_PERSON,
    ("POST", "/api/v1/account/factor/disable"): IN_PERSON,
    ("POST", "/api/v1/account/recovery-codes"): IN_PERSON,
    ("GET", "/api/v1/account/devices"): IN_PERSON,
    ("DELETE", "/api/v1/account/devices"): IN_PERSON,
    ("DELETE", "/api/v1/account/devices/{id}"): IN_PERSON,
    ("GET", "/api/v1/tokens"): IN_PERSON,
    ("POST", "/api/v1/tokens"): IN_PERSON,
    ("DELETE", "/api/v1/tokens/{id}"): IN_PERSON,
    ("POST", "/api/v1/authorizations/preview"): IN_PERSON,
    ("POST", "/api/v1/authorizations"): IN_PERSON,
    ("GET", "/api/v1/authorizations"): IN_PERSON,
    ("DELETE", "/api/v1/authorizations/{id}"): IN_PERSON,
    ("GET", "/api/v1/media"): WITH_A_LIBRARY,
    ("POST", "/api/v1/media"): WITH_A_LIBRARY,
    ("POST", "/api/v1/media/bulk"): WITH_A_LIBRARY,
    ("GET", "/api/v1/media/{id}"): WITH_A_LIBRARY,
    ("PATCH", "/api/v1/media/{id}"): WITH_A_LIBRARY,
    ("DELETE", "/api/v1/media/{id}"): WITH_A_LIBRARY,
    ("GET", "/api/v1/media/{id}/file"): WITH_A_LIBRARY,
    ("GET", "/api/v1/media/{id}/thumbnail"): WITH_A_LIBRARY,
    ("GET", "/api/v1/tags"): WITH_A_LIBRARY,
    ("GET", "/api/v1/stats"): WITH_A_LIBRARY,
    ("GET", "/api/v1/admin/users"): {ADMIN},
    ("GET", "/api/v1/admin/users/{id}/roles"): {ADMIN},
    ("PUT", "/api/v1/admin/users/{id}/roles/{role}"): {ADMIN},
    ("DELETE", "/api/v1/admin/users/{id}/roles/{role}"): {ADMIN},
    ("GET", "/api/v1/admin/users/{id}/explain"): {ADMIN},
    ("GET", "/api/v1/admin/audit"): {ADMIN},
    ("GET", "/observability/"): {ADMIN},
    # Declared nowhere: denied to everybody.
    ("GET", "/api/v1/nowhere"): set(),
    ("GET", "/api/v1/account"): set(),
    ("GET", "/api/v1/media/%2e%2e/me"): set(),
}
# What the path has not, as the specification tells everybody: 405, whoever asks.
NOT_THERE = [
    ("PUT", "/api/v1/media"),
    ("OPTIONS", "/api/v1/media"),
    ("QUERY", "/api/v1/media"),
    ("DELETE", "/api/v1/account/factor"),
    ("POST", "/api/v1/openapi.json"),
]
# It answers nobody itself, with 401 and without a note in the audit log.
OPEN = {("GET", "/api/v1/me"), ("POST", "/api/v1/login/second-factor")}


@pytest.fixture
def people(house: House) -> dict[str, Browser]:
    """One browser for each role, one for nobody, and a script that has a token of the user's."""
    access = house.application.stack.security.access
    suspended = house.application.accounts.add("suspended", "!")
    access.revoke(str(suspended), USER, actor=None)
    issued = house.application.stack.security.access_tokens.issue(str(house.user_id()), "script")
    script = house.browser(None)
    script.headers["Authorization"] = f"Bearer {issued.token}"
    return {
        NOBODY: house.browser(None),
        SUSPENDED: house.browser("suspended"),
        USER: house.browser("demo"),
        ADMIN: house.browser("keeper"),
        TOKEN: script,
    }


def test_every_route_by_every_role_is_as_the_table_says(people: dict[str, Browser]) -> None:
    """Nobody is 401, somebody without the right 403, whoever may passes; and no route is forgotten."""
    found = {}
    for (method, path), _ in TABLE.items():
        # An id that there is none of: who passes the guard is told 404, and nothing changes.
        address = path.replace("{id}", "999999").replace("{role}", "user")
        passed = set()
        for role, browser in people.items():
            # Ways in and out end this very session.
            if path.endswith(("/logout", "/account/devices")) and method != "GET":
                continue
            status = browser.request(method, address).status_code
            assert status < 500, (method, path, role)
            if status not in {401, 403}:
                passed.add(role)
            else:
                assert status == (401 if role == NOBODY else 403), (method, path, role)
        found[method, path] = passed
    ends = {key for key in TABLE if key[1].endswith(("/logout", "/account/devices")) and key[0] != "GET"}
    assert {key: roles for key, roles in found.items() if key not in ends} == {
        key: roles for key, roles in TABLE.items() if key not in ends
    }
    for method, path in sorted(ends):
        for role, browser in people.items():
            status = browser.request(method, path).status_code
            assert (status == 204) == (role in TABLE[method, path]), (method, path, role)


@pytest.mark.parametrize(("method", "path"), NOT_THERE)
def test_a_method_that_a_path_has_not_changes_nothing(
    house: House, people: dict[str, Browser], method: str, path: str
) -> None:
    """It is refused alike to everybody, and leaves nothing behind."""
    before = house.left
    answers = [browser.request(method, path, json={"password": "x"}) for browser in people.values()]
    assert {(answer.status_code, answer.headers["allow"]) for answer in answers} == {(405, answers[0].headers["allow"])}
    assert house.left == before


def test_no_route_is_left_out_of_the_table(house: House) -> None:
    """What the application answers is in the table above, and so in the rules."""
    mounted = {"/static": "/static/app.js", "/observability": "/observability/"}
    operations: dict[str, set[str]] = {}
    for one in SPECIFICATION.operations:
        operations.setdefault(f"{SPECIFICATION.base}{one.path}", set()).add(one.method)
    routes = set()
    for route in house.site.routes:
        if isinstance(route, Mount):
            routes.add(("GET", mounted[route.path]))
        else:
            assert isinstance(route, Route)
            # Each type of problem has a page, and one stands for all of them.
            path = "/problems/media.not_found" if re.match("/problems/.", route.path) else route.path
            methods = route.methods or operations.get(route.path, {"GET"})
            routes |= {(method, path) for method in methods - {"HEAD"}}
    declared = {key for key, roles in TABLE.items() if roles} | OPEN
    assert routes == declared


def test_every_rule_is_for_a_route(house: House) -> None:
    """A rule of a route that went is taken out with it."""
    paths = {getattr(route, "path", "") for route in house.site.routes}
    rules = SPECIFICATION.rules()
    for rule in [*rules["rules"], *rules["signed_in"], *rules["public"], *PUBLIC]:
        stem = rule.rpartition(" ")[2].removesuffix("/*") or "/"
        assert any(path.startswith(stem) for path in paths), rule


# Objects: two users, every path with an id


def test_every_path_with_an_id_is_404_to_another_user(house: House) -> None:
    """As if there were no such thing; the owner still has it."""
    owner, other = house.browser(), house.browser("guest")
    tokens = house.application.stack.security.access_tokens
    token = tokens.issue(str(house.user_id()), "script").info.id
    Program(house).connect()
    (program,) = owner.get("/api/v1/authorizations").json()["data"]
    medium = owner.added()
    device = next(each for each in owner.get("/api/v1/account/devices").json()["data"] if each["current"])
    for method, path in TABLE:
        if "{id}" not in path or path.startswith("/api/v1/admin"):
            continue
        owned = {"media": medium["id"], "devices": device["id"], "tokens": token, "authorizations": program["id"]}
        own = next(one for part, one in owned.items() if part in path)
        address = path.replace("{id}", str(own))
        answers = [other.request(method, each, json={"title": "mine"}) for each in (address, _absent(address))]
        assert [answer.status_code for answer in answers] == [404, 404], path
        told = [{**answer.json(), "request_id": ""} for answer in answers]
        assert told[0] == told[1], path
    assert owner.get(f"/api/v1/media/{medium['id']}").json()["data"]["title"] == medium["title"]
    assert owner.get("/api/v1/me").status_code == 200
    assert [one.id for one in tokens.tokens_of(str(house.user_id()))] == [token]
    assert owner.get("/api/v1/authorizations").json()["data"] == [program]


def _absent(address: str) -> str:
    parts = address.split("/")
    parts[parts.index("media") + 1 if "media" in parts else -1] = "999999"
    return "/".join(parts)


def test_an_administrator_sees_nobody_else_s_posters(house: House) -> None:
    """Who looks after accounts is a stranger to libraries."""
    medium = house.browser().added()
    keeper = house.browser("keeper")
    for method in ("GET", "DELETE"):
        problem(keeper.request(method, f"/api/v1/media/{medium['id']}"), 404, "media.not_found")
    assert keeper.get("/api/v1/media").json()["data"] == []


def test_the_library_itself_asks_who_may(house: House) -> None:
    """Without HTTP too: for somebody else, and for an owner whose role was taken away."""
    library, added = house.application.library, house.add(b"any bytes")
    for who in (house.who("guest"), house.who("keeper"), Identity(house.who().id)):
        with pytest.raises(AccessDenied) as caught:
            library.delete(who, added.media_id)
        assert caught.value.hidden
        with pytest.raises(AccessDenied):
            library.change(who, added.media_id, title="mine", tag_names=None)
    with pytest.raises(NotFound):
        library.delete(house.who(), 999_999)
    library.delete(house.who(), added.media_id)


# Roles change


def test_a_role_that_is_taken_away_is_without_effect_at_once(house: House) -> None:
    """The session stays, the right goes and comes back."""
    guest, keeper = house.browser("guest"), house.browser("keeper")
    path = f"/api/v1/admin/users/{house.user_id('guest')}/roles/user"
    assert guest.get("/api/v1/media").status_code == 200
    assert keeper.delete(path).json()["data"]["roles"] == []
    problem(guest.get("/api/v1/media"), 403, "access.denied")
    assert guest.get("/api/v1/me").json()["data"]["roles"] == []
    for _ in range(2):  # given twice it is given
        assert keeper.put(path).json()["data"]["roles"] == ["user"]
    assert guest.get("/api/v1/media").status_code == 200


def test_the_last_administrator_stays_one(house: House) -> None:
    """409, and the right is still there; with another one it may go."""
    keeper = house.browser("keeper")
    own = f"/api/v1/admin/users/{house.user_id('keeper')}/roles/admin"
    problem(keeper.delete(own), 409, "data.last_holder")
    assert keeper.put(f"/api/v1/admin/users/{house.user_id('guest')}/roles/admin").status_code == 200
    assert keeper.delete(own).status_code == 200
    problem(keeper.get("/api/v1/admin/users"), 403, "access.denied")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("999999/roles/user", "user.not_found"),
        ("x/roles/user", "user.not_found"),
        ("1/roles/emperor", "role.not_found"),
        ("1/roles/%00", None),
    ],
)
def test_roles_and_accounts_that_are_none_are_404(house: House, path: str, code: str | None) -> None:
    """Nothing is granted to nobody."""
    before = house.left
    answer = house.browser("keeper").put(f"/api/v1/admin/users/{path}")
    problem(answer, 404 if code else 400, code or "request.malformed")
    assert house.left == before


def test_a_decision_is_explained(house: House) -> None:
    """Which role allows it, and that nothing does."""
    keeper, guest = house.browser("keeper"), house.user_id("guest")
    path = f"/api/v1/admin/users/{guest}/explain"
    allowed = keeper.get(path, params={"permission": "media:edit:own"}).json()["data"]
    assert allowed["allowed"] is True
    assert "media:edit:own" in allowed["explanation"]
    denied = keeper.get(path, params={"permission": "user:grant"}).json()["data"]
    assert (denied["allowed"], "no role and no policy allows it" in denied["sentence"]) == (False, True)
    problem(keeper.get(path, params={"permission": "*:*"}), 422, "data.invalid")
    problem(keeper.get(path), 422, "data.invalid")
    absent = keeper.get("/api/v1/admin/users/999999/explain", params={"permission": "user:grant"})
    problem(absent, 404, "user.not_found")


def test_accounts_are_listed_in_pages_with_their_roles(house: House) -> None:
    """By id; nothing of passwords among what is told."""
    for number in range(50):
        house.application.accounts.add(f"more-{number}", "!")
    keeper = house.browser("keeper")
    first = keeper.get("/api/v1/admin/users").json()
    rest = keeper.get("/api/v1/admin/users", params={"after": first["next"]}).json()
    listed = [*first["data"], *rest["data"]]
    assert (len(first["data"]), len(listed), rest["next"]) == (50, 53, None)
    assert {row["name"]: row["roles"] for row in listed[:3]} == {
        "demo": ["user"], "guest": ["user"], "keeper": ["admin", "user"],
    }  # fmt: skip
    assert set(listed[0]) == {"id", "name", "roles", "created_at"}
    problem(keeper.get("/api/v1/admin/users", params={"after": "-1"}), 422, "data.invalid")


def test_the_audit_log_tells_who_did_what_to_whom(house: House) -> None:
    """A role given, and a denial, by the names of those concerned."""
    keeper, guest = house.browser("keeper"), house.browser("guest")
    keeper.put(f"/api/v1/admin/users/{house.user_id('guest')}/roles/admin")
    keeper.delete(f"/api/v1/admin/users/{house.user_id('guest')}/roles/admin")
    problem(guest.get("/api/v1/admin/audit"), 403, "access.denied")
    house.application.stack.security.audit.flush()
    told = [(row["actor"], row["action"], row["subject"]) for row in keeper.get("/api/v1/admin/audit").json()["data"]]
    assert ("keeper", "role.granted", "guest") in told
    assert ("keeper", "role.revoked", "guest") in told
    assert ("guest", "access.denied", "audit:read") in told
    assert (house.left["pm_audit"] or 0) == len(told)


def test_the_book_of_roles_is_the_documented_one() -> None:
    """What each role may do, in one place."""
    users, admins = ROLES.get(USER), ROLES.get(ADMIN)
    assert users is not None
    assert admins is not None
    assert users.allow == ("media:create", "media:read:own", "media:edit:own", "media:delete:own")
    watching = ("observability:read", "observability:act")
    assert (admins.inherits, admins.allow) == ((USER,), ("user:read", "user:grant", "audit:read", *watching))
    assert admins.keep_one
