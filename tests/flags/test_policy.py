"""Who has a feature: by name, by role, by a bucket that stays."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.flags import Rule, policy
from postrmagic_core.security.access import User

USERS = [f"user-{number}" for number in range(20_000)]


def share(name: str, rule: Rule, users: list[str] = USERS) -> set[str]:
    """Those of the users who have it."""
    return {user for user in users if policy.reason(name, rule, user) in policy.ON}


@pytest.mark.parametrize(
    ("name", "user", "bucket"),
    [("new-gallery", "7", 6143), ("new-gallery", "8", 7796), ("search", "7", 157), ("search", "Zoë", 7794)],
)
def test_a_bucket_is_the_same_in_every_release(name: str, user: str, bucket: int) -> None:
    """Given these names, then the buckets are those that earlier releases gave: nobody's feature goes by an upgrade."""
    assert policy.bucket(name, user) == bucket


def test_buckets_are_spread_evenly() -> None:
    """Given 20,000 users, then each tenth of the buckets has about a tenth of them (chi-squared, 9 degrees)."""
    for name in ("gallery", "search", "a", "0"):
        counts = [0] * 10
        for user in USERS:
            counts[policy.bucket(name, user) // 1000] += 1
        assert sum((count - 2000) ** 2 / 2000 for count in counts) < 33.7, "once in 10,000 names by chance"


def test_flags_are_independent() -> None:
    """Given two flags at 50 percent, then a quarter of the users has both: no user is always among the first."""
    half = Rule(percent=50)
    both = share("gallery", half) & share("search", half)
    assert abs(len(both) - 5000) < 5 * math.sqrt(20_000 * 3 / 16)


def test_more_percent_only_adds_users() -> None:
    """Given a percentage that grows, then whoever has the feature keeps it, and at 100 all have it."""
    before: set[str] = set()
    for percent in (0, 0.01, 0.5, 1, 10, 33.33, 50, 99.99, 100):
        now = share("gallery", Rule(percent=percent))
        assert before <= now
        assert abs(len(now) - 200 * percent) <= 5 * math.sqrt(20_000 * percent / 100) + 1
        before = now
    assert len(before) == len(USERS)


@given(st.text(max_size=40), st.text(min_size=1, max_size=40))
def test_a_bucket_is_one_of_ten_thousand(name: str, user: str) -> None:
    """Whatever names are given."""
    assert 0 <= policy.bucket(name, user) < policy.BUCKETS


def test_a_name_cannot_pass_for_another() -> None:
    """Given names that would be equal if they were only joined, then their buckets are not."""
    pairs = [(f"a{'b' * n}", f"{'b' * (50 - n)}c") for n in range(50)]
    assert len({policy.bucket(name, user) for name, user in pairs}) > 40


def test_even_half_a_character_has_a_bucket() -> None:
    """Given an id with a lone surrogate, which UTF-8 cannot write, then it is decided all the same."""
    assert policy.bucket("a", "\ud800") != policy.bucket("a", "\ud801")


RULE = Rule(percent=50, users=frozenset({"named"}), roles=frozenset({"staff"}), off_for=frozenset({"out"}))


def beyond() -> str:
    """A user who is beyond one half."""
    return next(user for user in USERS if policy.bucket("x", user) >= 5000)


def within() -> str:
    """One who is not."""
    return next(user for user in USERS if policy.bucket("x", user) < 5000)


@pytest.mark.parametrize(
    ("user", "roles", "rule", "reason"),
    [
        ("named", set(), RULE, "user"),
        ("out", {"staff"}, RULE, "off_for"),
        ("out", set(), Rule(percent=100, off_for=frozenset({"out"})), "off_for"),
        (beyond(), {"viewer", "staff"}, RULE, "role"),
        (beyond(), {"viewer"}, RULE, "beyond"),
        (within(), set(), RULE, "bucket"),
        (None, set(), RULE, "nobody"),
        (None, set(), Rule(percent=99.99), "nobody"),
        (None, set(), Rule(percent=100), "everybody"),
        (beyond(), set(), Rule(percent=100), "everybody"),
        (within(), {"staff"}, Rule(), "beyond"),
    ],
)
def test_what_decides(user: str | None, roles: set[str], rule: Rule, reason: str) -> None:
    """Given a rule, then those it is off for come first, then names and roles, then the percentage."""
    found = policy.reason("x", rule, user, frozenset(roles))
    assert found == reason
    assert (found in policy.ON) == (reason in {"user", "role", "everybody", "bucket"})


@pytest.mark.parametrize(
    ("who", "user"), [(None, None), ("", None), ("7", "7"), (User("7"), "7"), (User(""), None)], ids=repr
)
def test_who_is_asked_about(who: Any, user: str | None) -> None:
    """Given an identity, an id or nobody, then it is known who that is; an empty id is nobody."""
    assert policy.parted(who) == (user, frozenset())


WRONG: list[Any] = [7, 7.5, b"7", ["7"], True, SimpleNamespace(id=7, roles=frozenset()), SimpleNamespace(id="7")]


@pytest.mark.parametrize("who", WRONG, ids=repr)
def test_a_number_is_no_identity(who: Any) -> None:
    """Given what no rule would name, then it is a TypeError and not a user of another bucket."""
    with pytest.raises(TypeError, match="Identity"):
        policy.parted(who)
