"""What roles, policies, ownership and scopes add up to, held against a model that is too simple to be wrong."""

from __future__ import annotations

import itertools
import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postrmagic_core.errors import ConfigurationError, UsageError
from postrmagic_core.security.access import Access, Role, Roles, User
from postrmagic_core.security.access.policy import asked, rule

RESOURCES = ("media", "user")
ACTIONS = ("read", "edit", "delete")
PERMISSIONS = [f"{resource}:{action}" for resource in RESOURCES for action in ACTIONS]
NAMES = "abcde"

grants = st.builds(
    lambda resource, action, own: f"{resource}:{action}{own}",
    st.sampled_from([*RESOURCES, "*"]),
    st.sampled_from([*ACTIONS, "*"]),
    st.sampled_from(["", ":own"]),
)
few_grants = st.lists(grants, max_size=3)


@st.composite
def books(draw: Any) -> list[Role]:
    """Up to five roles, each of which inherits from earlier ones."""
    found: list[Role] = []
    for name in NAMES[: draw(st.integers(1, 5))]:
        parents = [role.name for role in found if draw(st.booleans())]
        found.append(Role(name, parents, draw(few_grants), draw(few_grants)))
    return found


def access(*roles: Role, permissions: list[str] | None = None, strict: bool = False) -> Access:
    """One that only decides: no database is asked."""
    units: Any = None
    return Access(Roles(roles, permissions), units, strict=strict)


def of(name: str) -> Any:
    """An object of this owner."""
    return SimpleNamespace(owner_id=name)


def naive(
    roles: list[Role], held: set[str], permission: str, mine: bool | None, said: bool | None, scopes: Any
) -> bool:
    """The rules as the documentation words them, written without a table, a class or a shortcut."""
    everything = set(held)
    while True:
        more = {parent for role in roles if role.name in everything for parent in role.inherits} - everything
        if not more:
            break
        everything |= more

    def matches(pattern: str) -> bool:
        resource, action = pattern.split(":")[:2]
        return resource in ("*", permission.split(":", maxsplit=1)[0]) and action in ("*", permission.split(":")[1])

    allows = [text for role in roles if role.name in everything for text in role.allow if matches(text)]
    denies = [text for role in roles if role.name in everything for text in role.deny if matches(text)]
    if said is False or any(not text.endswith(":own") or mine is not False for text in denies):
        return False
    if scopes is not None and not any(matches(text) and (not text.endswith(":own") or mine) for text in scopes):
        return False
    return said is True or any(not text.endswith(":own") or mine is True for text in allows)


objects = st.sampled_from([(None, None), (of("7"), True), (of("8"), False), (SimpleNamespace(), None)])


@given(
    books(),
    st.sets(st.sampled_from(NAMES)),
    st.sampled_from(PERMISSIONS),
    objects,
    st.sampled_from([None, True, False]),
    st.none() | st.frozensets(grants, max_size=3),
)
def test_any_book_decides_as_the_model(
    roles: list[Role], held: set[str], permission: str, thing: Any, said: bool | None, scopes: Any
) -> None:
    """Whatever roles inherit, whoever owns the object, whatever a policy and the scopes say; explained alike."""
    judge = access(*roles)

    @judge.policy(permission)
    def opinion(who: Any, obj: object) -> bool | None:
        return said

    known = {role.name for role in roles}
    who = User("7", frozenset(held), scopes)
    expected = naive(roles, held & known, permission, thing[1], said, scopes)
    assert judge.check(who, permission, thing[0]) is expected
    assert judge.check(who, permission, thing[0]) is expected, "the second time, from the table"
    explained = judge.explain(who, permission, thing[0])
    assert explained.allowed is expected
    assert explained.deciding.startswith(("allowed by",) if expected else ("denied by", "no role", "the scopes"))


@given(books(), st.sets(st.sampled_from(NAMES), min_size=1), grants, st.sampled_from(NAMES), objects)
def test_a_further_deny_never_adds_a_right(
    roles: list[Role], held: set[str], deny: str, where: str, thing: Any
) -> None:
    """In whichever role it is put."""
    before, who = access(*roles), User("7", frozenset(held))
    stricter = [
        Role(role.name, role.inherits, role.allow, [*role.deny, deny]) if role.name == where else role for role in roles
    ]
    after = access(*stricter)
    for permission in PERMISSIONS:
        assert after.check(who, permission, thing[0]) <= before.check(who, permission, thing[0])


def test_a_deny_wins_wherever_it_is_inherited_from() -> None:
    """From the farthest ancestor over the role's own allow, and from one role over another's."""
    judge = access(
        Role("root", deny=["media:delete"]),
        Role("middle", inherits=["root"], allow=["media:*"]),
        Role("editor", inherits=["middle"], allow=["media:delete"]),
        Role("admin", allow=["*:*"]),
    )
    assert judge.check(User("1", frozenset({"admin"})), "media:delete")
    assert not judge.check(User("1", frozenset({"editor"})), "media:delete")
    assert not judge.check(User("1", frozenset({"admin", "editor"})), "media:delete")


MATRIX = {
    # role: read others' media, edit own, edit others', delete own, delete others', manage users
    "viewer": (True, False, False, False, False, False),
    "user": (True, True, False, True, False, False),
    "editor": (True, True, True, False, False, False),
    "moderator": (True, True, True, False, False, False),
    "admin": (True, True, True, True, True, True),
    "auditor": (True, False, False, False, False, False),
}
CASES = (
    ("media:read", "8"),
    ("media:edit", "7"),
    ("media:edit", "8"),
    ("media:delete", "7"),
    ("media:delete", "8"),
    ("user:manage", "8"),
)
HOUSE = [
    Role("viewer", allow=["media:read"]),
    Role("user", ["viewer"], ["media:*:own"]),
    Role("editor", ["user"], ["media:edit"], ["media:delete"]),
    Role("moderator", ["editor"], ["media:delete"]),
    Role("admin", allow=["*:*"]),
    Role("auditor", allow=["*:read"]),
]


@pytest.mark.parametrize(("role", "case"), list(itertools.product(MATRIX, range(len(CASES)))))
def test_every_role_against_every_permission_of_a_house(role: str, case: int) -> None:
    """The table was filled in by hand."""
    permission, owner = CASES[case]
    assert access(*HOUSE).check(User("7", frozenset({role})), permission, of(owner)) is MATRIX[role][case]


def test_nothing_is_allowed_that_nothing_allows() -> None:
    """Nobody, a user without roles, with roles that are not declared, without an id."""
    judge = access(Role("admin", allow=["*:*"]))
    assert not judge.check(None, "media:read")
    assert not judge.check(User("7"), "media:read")
    assert not judge.check(User("7", frozenset({"gone"})), "media:read")
    assert not judge.check(User("", frozenset({"admin"})), "media:read")
    assert "is not declared" in str(judge.explain(User("7", frozenset({"gone"})), "media:read"))


@pytest.mark.parametrize(
    ("roles", "told"),
    [
        (
            [Role("a", ["viewr"]), Role("viewer")],
            r"a inherits viewr, which is not declared; did you mean viewer\?",
        ),
        ([Role("a", ["b"]), Role("b", ["c"]), Role("c", ["b"])], "roles inherit in a circle: b → c → b"),
        ([Role("a", ["a"])], "a → a"),
        ([Role("a"), Role("a")], "role a is declared twice"),
        ([Role("a b")], "expected a name"),
        ([Role("a\n")], "expected a name"),
        ([Role("a", allow=["media"])], "role a: the allow 'media' is malformed"),
        ([Role("a", deny=["media:e*"])], "role a: the deny 'media:e"),
        ([Role("a", allow=["media:edit:their"])], "is malformed"),
        ([Role("a", allow=["media:edit\n"])], "is malformed"),
        ([Role("a", allow=["Media:edit"])], "is malformed"),
        ([Role("a", allow=["media:eddit"])], r"matches no permission that is listed; did you mean media:edit\?"),
    ],
)
def test_a_book_with_a_mistake_is_refused(roles: list[Role], told: str) -> None:
    """The mistake is named, and drawn where it has a shape."""
    with pytest.raises(ConfigurationError, match=told):
        Roles(roles, ["media:edit", "media:read"])


def test_a_text_where_a_list_belongs_is_refused() -> None:
    """It would be read as a list of letters."""
    with pytest.raises(TypeError, match=r"allow is a list of texts"):
        Role("a", allow="media:edit")


@given(st.text() | st.integers() | st.none() | st.binary())
@example("media:*")
@example("*:*")
@example("media:edit\n")
@example("media:edit:own:own")
@example("\uff4dedia:edit")
def test_what_is_asked_has_no_wildcard_and_no_other_form(text: Any) -> None:
    """Whatever comes in, everything that is no plain permission is denied, to those who may do everything too."""
    judge, who = access(Role("admin", allow=["*:*"])), User("7", frozenset({"admin"}))
    parsed = asked(text)
    if parsed is None:
        assert not judge.check(who, text)
        assert not judge.explain(who, text).allowed
        str(judge.explain(who, text))
    else:
        assert judge.check(who, text)
        assert rule(text) is not None


def test_an_unknown_permission_is_an_error_in_development_and_denied_elsewhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Logged once, as it is a mistake of the code."""
    role, who = Role("admin", allow=["*:*"]), User("7", frozenset({"admin"}))
    with pytest.raises(UsageError, match="media:eddit is not among the permissions"):
        access(role, permissions=["media:edit"], strict=True).check(who, "media:eddit")
    judge = access(role, permissions=["media:edit"])
    assert judge.check(who, "media:edit")
    assert not judge.check(who, "media:eddit")
    assert not judge.check(who, "media:eddit")
    assert [getattr(record, "event", "") for record in caplog.records] == ["security.access.unknown_permission"]
    with pytest.raises(ConfigurationError, match="matches no permission"):
        judge.policy("media:eddit")(lambda who, obj: None)


@pytest.mark.parametrize(
    ("owner", "mine"),
    [
        ("7", True),
        (7, True),
        (uuid.UUID(int=7), False),
        ("8", False),
        (" 7", False),
        ("\uff17", False),
        (True, None),
        (7.0, None),
        (b"7", None),
        (None, None),
        ([7], None),
    ],
)
def test_whose_an_object_is(owner: Any, mine: bool | None) -> None:
    """Where it cannot be said, neither a grant for own objects holds, nor is a deny for own objects escaped."""
    judge = access(Role("a", allow=["media:edit:own"]), Role("b", allow=["media:edit"], deny=["media:edit:own"]))
    assert judge.check(User("7", frozenset({"a"})), "media:edit", of(owner)) is (mine is True)
    assert judge.check(User("7", frozenset({"b"})), "media:edit", of(owner)) is (mine is False)


def test_owners_are_found_where_objects_name_them() -> None:
    """``owner_id``, else ``user_id``, in mappings too, or by a function of the resource; one that fails finds none."""
    judge, who = access(Role("a", allow=["*:edit:own"])), User("7", frozenset({"a"}))
    assert judge.check(who, "media:edit", SimpleNamespace(user_id=7))
    assert judge.check(who, "media:edit", {"owner_id": 7, "user_id": 8})
    assert not judge.check(who, "media:edit", SimpleNamespace(owner_id=None, user_id=7)), "owner_id says: nobody's"

    @judge.owner("album")
    def owner(album: Any) -> Any:
        return album["made"]["by"]

    assert judge.check(who, "album:edit", {"made": {"by": "7"}})
    assert not judge.check(who, "album:edit", {})
    with pytest.raises(ConfigurationError, match="expected the resource"):
        judge.owner("album:edit")(owner)


def test_a_permission_for_own_objects_can_be_asked_about_without_one() -> None:
    """By a route that asks about the object later; a deny for own objects holds then too."""
    judge = access(Role("a", allow=["media:*:own"]), Role("b", ["a"], deny=["media:delete:own"]))
    assert judge.check(User("7", frozenset({"a"})), "media:edit:own")
    assert not judge.check(User("7", frozenset({"a"})), "media:edit")
    assert not judge.check(User("7", frozenset({"b"})), "media:delete:own")
    assert not judge.check(User("7", frozenset({"a"})), "media:edit:own", of("8")), "the object tells more"


@pytest.mark.parametrize("answer", [1, "yes", 0, "", [], object()])
def test_a_policy_that_answers_otherwise_denies(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing that merely looks true allows, and nothing that looks false passes for no opinion."""
    judge = access(Role("a", allow=["media:edit"]))
    judge.policy("media:edit")(lambda who, obj: answer)
    assert not judge.check(User("7", frozenset({"a"})), "media:edit")
    assert caplog.records[0].event == "security.access.policy_failed"  # type: ignore[attr-defined]  # by extra=


def test_a_policy_that_fails_denies(caplog: pytest.LogCaptureFixture) -> None:
    """Though roles and other policies allow; logged without the error's text."""
    judge, who = access(Role("a", allow=["media:edit"])), User("7", frozenset({"a"}))
    judge.policy("media:*")(lambda who, obj: True)
    assert judge.check(who, "media:edit")

    @judge.policy("*:edit")
    def broken(who: Any, obj: Any) -> bool:
        raise KeyError("c4n4ry")

    assert not judge.check(who, "media:edit")
    assert judge.check(who, "media:read")
    assert "denied by policy" in judge.explain(who, "media:edit").deciding
    assert caplog.records
    assert "c4n4ry" not in caplog.text


def test_a_policy_must_be_plain() -> None:
    """A coroutine would be true whatever it says; ``:own`` would be decided twice; a name must be given."""
    judge = access(Role("a"))

    async def waits(who: Any, obj: Any) -> bool:
        return False

    with pytest.raises(ConfigurationError, match="is async"):
        judge.policy("media:edit")(waits)
    with pytest.raises(ConfigurationError, match="leave out ':own'"):
        judge.policy("media:edit:own")(lambda who, obj: None)
    with pytest.raises(UsageError, match="name the permissions"):
        judge.policy(waits)  # type: ignore[arg-type]  # the mistake that is tested


def test_scopes_limit_and_never_grant() -> None:
    """Scopes of another kind permit nothing; none at all permits nothing; ``None`` is no limit."""
    judge = access(Role("a", allow=["media:*"]))

    def may(permission: str, *scopes: str) -> bool:
        return judge.check(User("7", frozenset({"a"}), frozenset(scopes)), permission)

    assert may("media:edit", "openid", "media:edit")
    assert may("media:edit", "*:edit")
    assert not may("media:edit", "media:read")
    assert not may("media:edit")
    assert not may("user:edit", "user:edit"), "not allowed by a role"
    assert not may("media:edit", "media:edit:own")
    assert not may("media:edit", "media:*\n")


def test_an_explanation_shows_the_way_to_the_rule() -> None:
    """Which role, through which it inherits, by which rule; whose object; which policy; which scopes."""
    judge = access(*HOUSE)

    @judge.policy("media:*")
    def office_hours(who: Any, obj: object) -> bool | None:
        return None

    told = judge.explain(User("7", frozenset({"moderator", "viewer"}), frozenset({"media:*"})), "media:delete", of("7"))
    assert not told.allowed
    assert told.deciding == "denied by role editor (deny media:delete), which moderator inherits"
    assert str(told).splitlines() == [
        "user 7 may not media:delete: denied by role editor (deny media:delete), which moderator inherits",
        "├── roles",
        "│   ├── moderator",
        "│   │   ├── allow media:delete",
        "│   │   └── editor",
        "│   │       ├── deny media:delete",
        "│   │       └── user",
        "│   │           ├── allow media:*:own",
        "│   │           └── viewer: says nothing",
        "│   └── viewer: as above",
        "├── ownership: the object belongs to who asks",
        "├── policies",
        f"│   └── {__name__}.{office_hours.__qualname__}: no opinion",
        "└── scopes: media:*: cover it",
    ]
    assert judge.explain(None, "media:read").deciding == "nobody is logged in"
    assert judge.explain(User("7"), "media:*").deciding == "there is no such permission"


def test_tables_are_bounded() -> None:
    """Whoever chooses sets of roles, scopes or permissions cannot fill the memory; answers stay right."""
    judge = access(Role("a", allow=["media:edit"]))
    deciding = judge._deciding
    for number in range(3000):
        who = User("7", frozenset({"a", f"x{number}"}), frozenset({f"s:{number}", "media:edit"}))
        assert judge.check(who, "media:edit")
    who = User("7", frozenset({"a"}))
    for number in range(6000):
        assert not judge.check(who, f"p:{number}")
    assert len(deciding._tables) <= 1024
    assert len(deciding._scopes) <= 1024
    assert len(deciding.table(who.roles)) <= 4096
    assert judge.check(who, "media:edit")


def test_a_policy_added_later_has_a_say() -> None:
    """What was decided before is decided anew."""
    judge, who = access(Role("a", allow=["media:edit"])), User("7", frozenset({"a"}))
    assert judge.check(who, "media:edit")
    judge.policy("media:edit")(lambda who, obj: False)
    assert not judge.check(who, "media:edit")


def test_diamonds_and_long_lines_of_parents_take_no_time() -> None:
    """Each role is looked at once, however many ways lead to it."""
    roles = [Role("r0", allow=["media:read"])]
    roles += [Role("l0", ["r0"])]
    for number in range(1, 60):
        above = [f"r{number - 1}", f"l{number - 1}"]
        roles += [Role(f"r{number}", above), Role(f"l{number}", above)]
    judge, who = access(*roles), User("7", frozenset({"r59", "l59"}))
    assert judge.check(who, "media:read")
    assert str(judge.explain(who, "media:read")).count("\n") < 500
