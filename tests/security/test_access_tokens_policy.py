"""What a token looks like, which texts are none, and what it may be limited to: no database is asked."""

from __future__ import annotations

import itertools
import random
import re
import secrets
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postrmagic_core.security.access import Access, Role, Roles, User
from postrmagic_core.security.access_tokens import (
    PATTERN,
    TokenPolicy,
    TokenUser,
    VerifiedToken,
    bearer,
    not_by_token,
    policy,
)
from postrmagic_core.testing import FakeClock

ROLES = Roles([Role("editor", allow=["media:read", "media:edit:own", "user:*"])])
TOKEN = policy.token(random.Random(4711).choice)  # the same in every process that runs these tests
END = FakeClock().now


# The text.


def test_a_token_is_found_by_its_pattern_and_read_again() -> None:
    """Wherever it was leaked to, a scanner finds it whole."""
    token = policy.token(secrets.choice)
    assert len(token) == policy.LENGTH == 69
    for text in (f"key={token}\n", f'"{token}"', f"curl -H 'Authorization: Bearer {token}'", f"({token})."):
        assert re.findall(PATTERN, text) == [token]
    found = policy.read(token)
    assert found is not None
    assert token.startswith(f"pm_{found.id}_")
    assert len(found.digest) == 32


def test_a_secret_has_256_bits() -> None:
    """So many letters of so large an alphabet that guessing needs no other hindrance than SHA-256."""
    picked: list[str] = []

    def pick(letters: str) -> str:
        picked.append(letters)
        return letters[0]

    policy.token(pick)
    assert set(picked) == {policy.ALPHABET}
    assert len(policy.ALPHABET) == len(set(policy.ALPHABET)) == 62
    secret = len(picked) - 16
    assert 62**secret > 2**256


@given(st.integers(0, 68), st.sampled_from(policy.ALPHABET))
def test_no_letter_may_differ(at: int, letter: str) -> None:
    """One mistyped letter, wherever it stands, is told by the checksum, without asking the database."""
    changed = TOKEN[:at] + letter + TOKEN[at + 1 :]
    assert (policy.read(changed) is None) == (changed != TOKEN)


def test_two_letters_in_the_wrong_order_are_told() -> None:
    """Whoever types it may swap two."""
    for at in range(len(TOKEN) - 1):
        swapped = TOKEN[:at] + TOKEN[at + 1] + TOKEN[at] + TOKEN[at + 2 :]
        assert (policy.read(swapped) is None) == (swapped != TOKEN)


MALFORMED: list[Any] = [
    "",
    "pm_",
    TOKEN[:-1],
    TOKEN + "0",
    TOKEN + "\n",
    " " + TOKEN,
    TOKEN.lower(),
    TOKEN.swapcase(),
    TOKEN.replace("pm_", "PM_"),
    "\uff50" + TOKEN[1:],
    TOKEN[:-1] + "\u0660",
    "pm_" + "\u0664" * 66,
    "pm_" + "0" * 16 + "_" + "0" * 49,
    "' OR 1=1 --" + "A" * 58,
    "A" * 1_000_000,
    "pm_" * 1_000_000,
    "\ud800" * 69,
    "\x00" * 69,
    None,
    0,
    False,
    True,
    [],
    {},
    TOKEN.encode(),
    bytearray(TOKEN.encode()),
]


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: ascii(text)[:24])
def test_whatever_else_is_sent_is_no_token(text: Any) -> None:
    """Nothing is stripped, folded or converted."""
    assert policy.read(text) is None


@given(st.one_of(st.text(), st.text(policy.ALPHABET + "_", min_size=69, max_size=69), st.binary()))
def test_only_what_was_made_is_read(text: Any) -> None:
    """What is read has its checksum and its one spelling."""
    found = policy.read(text)
    assert found is None or (re.fullmatch(PATTERN, text) and policy.checksum(text[:-6]) == text[-6:])


def test_a_long_text_takes_no_longer() -> None:
    """Ten megabytes are looked at no more than ten letters."""

    def took(text: str) -> float:
        began = time.thread_time()
        for _ in range(200):
            policy.read(text)
        return time.thread_time() - began

    short, long = "pm_0123456789", "pm_" + "0" * 10_000_000
    assert min(took(long) for _ in range(5)) < 20 * min(took(short) for _ in range(5)) + 0.01


# The header.


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (None, None),
        ("", None),
        ("Basic YTpi", None),
        ("Digest username=x, realm=y", None),
        ("Bearerish abc", None),
        ("Bearer-2 abc", None),
        ("Cookie bearer", None),
        ("Bearer abc", "abc"),
        ("bEARER abc", "abc"),
        ("Bearer   abc==", "abc=="),
        (" Bearer abc ", "abc"),
        (f"Bearer {TOKEN}", TOKEN),
        ("Bearer a-._~+/Z9=", "a-._~+/Z9="),
        ("Bearer", ""),
        ("Bearer ", ""),
        ("Bearer\tabc", ""),
        ("Bearer:abc", ""),
        ("Bearer=abc", ""),
        ("Bearer a b", ""),
        ("Bearer =abc", ""),
        ("Bearer a=b", ""),
        ("Bearer abc,", ""),
        ("Bearer abc, Bearer abc", ""),
        ("Bearer abc, Basic YTpi", ""),
        ("Basic YTpi, Bearer abc", ""),
        ("Basic YTpi,bearer abc", ""),
        ("Bearer \u00e9", ""),
        ("Bearer abc\n", ""),
        ("Bearer abc\x00", ""),
        ("Bearer " + "a" * 8201, "a" * 8201),
        ("Bearer " + "a" * 8202, ""),
        ("Bearer " + "a" * 1_000_000, ""),
    ],
    ids=lambda given: ascii(given)[:32],
)
def test_a_header_uses_the_scheme_rightly_wrongly_or_not(header: str | None, text: str | None) -> None:
    """Rightly once (RFC 6750, section 2.1); used wrongly or twice it is nobody's token, and never as if it were not."""
    assert bearer(header) == text


@given(st.text(), st.sampled_from(["Bearer ", "bearer ", "Basic x, Bearer ", ""]))
@example(", \t" * 1000, "")
def test_what_is_taken_from_a_header_is_a_token68(rest: str, before: str) -> None:
    """Whatever stands behind the scheme; and with the scheme there is always an answer."""
    found = bearer(before + rest)
    assert found is not None or "earer" not in before or not re.match(r"(?!\w)", rest)
    assert not found or re.fullmatch(r"[A-Za-z0-9\-._~+/]+=*", found)


@pytest.mark.parametrize("piece", [",", " ,", ", bearer", ",\t ", "bearer ", "Bearer a", " "], ids=repr)
def test_a_hostile_header_takes_linear_time(piece: str) -> None:
    """Sixteen times as long, it takes about sixteen times as long; squared it would be 256 times."""

    def took(size: int) -> float:
        text = piece * size
        began = time.thread_time()
        bearer(text)
        bearer("Basic " + text)
        return time.thread_time() - began

    assert min(took(64_000) for _ in range(3)) < 80 * min(took(4_000) for _ in range(3)) + 0.01


# What it may.


def deciding(*roles: Role, permissions: list[str] | None = None) -> Access:
    """One that only decides: no database is asked."""
    units: Any = None
    return Access(Roles(roles, permissions), units)


GRANTS = [
    f"{resource}:{action}{own}"
    for resource, action, own in itertools.product(["media", "*"], ["read", "edit", "*"], ["", ":own"])
]


@given(st.lists(st.sampled_from(GRANTS), max_size=3), st.lists(st.sampled_from(GRANTS), max_size=2), st.data())
def test_a_token_may_never_more_than_its_owner(allow: list[str], deny: list[str], data: Any) -> None:
    """Whatever both are granted: what the token may, its owner may; and it is what a role with its grants may, too."""
    scopes = data.draw(st.none() | st.frozensets(st.sampled_from(GRANTS), max_size=3))
    access = deciding(Role("held", allow=allow, deny=deny), Role("token", allow=sorted(scopes or ())))
    owner = User("7", frozenset({"held"}))
    by_token = VerifiedToken("t", "7", scopes, END).restrict(owner)
    as_if = User("7", frozenset({"token"}))
    for permission, obj in itertools.product(
        ["media:read", "media:edit", "media:edit:own"], [None, {"owner_id": 7}, {"owner_id": 8}]
    ):
        allowed = access.check(by_token, permission, obj)
        limited = scopes is None or access.check(as_if, permission, obj)
        assert allowed == (access.check(owner, permission, obj) and limited)


def test_a_token_that_is_limited_to_own_objects_may_nothing_with_others() -> None:
    """Though its owner may."""
    access = deciding(Role("admin", allow=["*:*"]))
    admin = User("7", frozenset({"admin"}))
    who = VerifiedToken("t", "7", frozenset({"media:edit:own"}), END).restrict(admin)
    assert access.check(who, "media:edit", {"owner_id": "7"})
    assert access.check(who, "media:edit:own")
    assert not access.check(who, "media:edit", {"owner_id": "8"})
    assert not access.check(who, "media:edit")
    assert not access.check(who, "media:read", {"owner_id": "7"})


def test_an_explanation_tells_that_the_token_lacks_it() -> None:
    """Not the roles: they allow it."""
    access = deciding(Role("admin", allow=["*:*"]))
    who = VerifiedToken("t", "7", frozenset({"media:read"}), END).restrict(User("7", frozenset({"admin"})))
    told = access.explain(who, "media:edit", {"owner_id": "7"})
    assert not told.allowed
    assert told.deciding == "the scopes of the credential do not cover it"
    assert "allow *:*" in str(told)
    assert "scopes: media:read: do not cover it" in str(told)


def test_a_token_without_permissions_may_nothing() -> None:
    """None at all is not the same as no limit."""
    access = deciding(Role("admin", allow=["*:*"]))
    admin = User("7", frozenset({"admin"}))
    assert not access.check(VerifiedToken("t", "7", frozenset(), END).restrict(admin), "media:read")
    assert access.check(VerifiedToken("t", "7", None, END).restrict(admin), "media:read")


def test_some_things_no_token_may() -> None:
    """With the policy a permission is everybody's who is logged in, and no token's, however little it is limited."""
    access = deciding(Role("admin", allow=["*:*"]), Role("barred", deny=["account:*"]))
    access.policy("account:secure")(not_by_token)
    admin = User("7", frozenset({"admin"}))
    assert access.check(admin, "account:secure")
    assert access.check(User("8"), "account:secure")
    assert not access.check(User("9", frozenset({"barred"})), "account:secure")
    assert not access.check(None, "account:secure")
    for scopes in (None, frozenset({"*:*"}), frozenset({"account:secure"})):
        who = VerifiedToken("t", "7", scopes, END).restrict(admin)
        assert not access.check(who, "account:secure")
        assert "denied by policy" in access.explain(who, "account:secure").deciding


def test_only_the_owner_is_restricted() -> None:
    """Somebody else's roles never meet the token, nor does a limit replace another."""
    verified = VerifiedToken("t", "7", frozenset({"media:read"}), END)
    assert verified.restrict(User("7", frozenset({"x"}))) == TokenUser("7", frozenset({"x"}), verified.permissions, "t")
    for user in (User("8"), User("7", scopes=frozenset()), User("7", scopes=frozenset({"*:*"}))):
        with pytest.raises(ValueError, match="the token's owner"):
            verified.restrict(user)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (None, None),
        ([], ()),
        (["media:read"], ("media:read",)),
        (["user:read", "media:read", "media:read"], ("media:read", "user:read")),
        (["*:*", "media:*:own", "user:delete"], ("*:*", "media:*:own", "user:delete")),
        (["*:read"], ("*:read",)),
    ],
    ids=str,
)
def test_permissions_are_what_roles_know(asked: Any, kept: Any) -> None:
    """Each once, sorted."""
    assert policy.check_permissions(asked, ROLES) == kept


@pytest.mark.parametrize(
    "wrong",
    ["media:read", ["media:delete"], ["other:*"], ["media"], ["media:read:all"], [""], ["m" * 200], [7], [None]],
)
def test_others_are_refused_without_being_told_back(wrong: Any) -> None:
    """A mistyped one would be a token that may nothing; what was sent stands in no error."""
    with pytest.raises(ValueError, match="permission") as caught:
        policy.check_permissions(wrong, ROLES)
    assert "other" not in str(caught.value)
    assert "delete" not in str(caught.value)


def test_where_permissions_are_listed_the_list_holds() -> None:
    """Whether a role allows one of them or not: a policy may."""
    roles = Roles([Role("editor", allow=["media:*"])], ["media:read", "account:secure"])
    assert policy.check_permissions(["account:secure", "media:*"], roles) == ("account:secure", "media:*")
    with pytest.raises(ValueError, match="permission"):
        policy.check_permissions(["media:edit"], roles)


def test_there_are_not_endlessly_many_permissions() -> None:
    """Fifty, and the fifty-first is refused before the rest are looked at."""
    roles = Roles([Role("all", allow=["*:*"])])
    endless = (f"media:a{number}" for number in itertools.count())
    with pytest.raises(ValueError, match="at most 50"):
        policy.check_permissions(endless, roles)
    assert len(policy.check_permissions([f"media:a{n}" for n in range(50)], roles) or ()) == 50


@pytest.mark.parametrize("name", ["x", "n" * 64, "backup at night", "\u00e4\U0001f4be", "<b>"], ids=ascii)
def test_a_name_is_a_plain_text(name: str) -> None:
    """As its owner wrote it; whoever shows it escapes it."""
    assert policy.check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", " ", "n" * 65, "a\nb", "a\x00", "\u202eevil", "\u200b", "\ud800", 7, None, True, b"x", ["x"]],
    ids=ascii,
)
def test_whatever_is_no_plain_text_is_no_name(name: Any) -> None:
    """Control and format characters could hide what a list shows."""
    with pytest.raises(ValueError, match="1 to 64 printable"):
        policy.check_name(name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"lifetime": 0},
        {"lifetime": 366 * 86_400.0},
        {"max_lifetime": 366 * 86_400.0},
        {"lifetime": 20.0, "max_lifetime": 10.0},
        {"lifetime": float("nan")},
        {"max_per_user": 0},
        {"max_per_user": 1.5},
        {"max_per_user": True},
        {"max_per_user": 10_001},
        {"keep": -1.0},
        {"keep": float("inf")},
    ],
    ids=str,
)
def test_a_policy_has_bounds(wrong: dict[str, Any]) -> None:
    """No token lives longer than a year."""
    with pytest.raises(ValueError, match="expected"):
        TokenPolicy(**wrong)
