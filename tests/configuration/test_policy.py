"""How versions compare."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postrmagic_core.configuration import Field, Masked, Print, Version, changes
from postrmagic_core.configuration.policy import before, compared, is_now, secrets_in


def secret(**prints: str) -> Masked:
    """A URL with a password of these fingerprints by key."""
    return Masked(("mysql://app:", Print(prints), "@db/app"))


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (1, 1, "same"),
        (1, 1.0, "same"),
        (1, True, "changed"),
        (None, "", "changed"),
        ([1, 2], [2, 1], "changed"),
        ([1], [1, 2], "changed"),
        ({"a": 1}, {"a": 1}, "same"),
        ({"a": 1}, {"b": 1}, "changed"),
        (secret(k1="x"), secret(k1="x"), "same"),
        (secret(k1="x"), secret(k1="y"), "changed"),
        (secret(k1="x"), secret(k2="x"), "unknown"),
        (secret(), secret(), "unknown"),
        (secret(k1="x", k2="y"), secret(k2="y", k3="z"), "same"),
        (secret(k1="x"), Masked(("mysql://app:", Print({"k1": "x"}), "@other/app")), "changed"),
        (secret(k1="x"), Masked(("mysql://app:", Print({"k2": "x"}), "@other/app")), "changed"),
        (secret(k1="x"), "mysql://db/app", "changed"),
        (secret(k1="x"), Masked((Print({"k1": "x"}),)), "changed"),
        ({"a": secret(k1="x"), "b": 1}, {"a": secret(k2="x"), "b": 1}, "unknown"),
        ({"a": secret(k1="x"), "b": 1}, {"a": secret(k2="x"), "b": 2}, "changed"),
        ([secret(k1="x")], [secret(k2="x")], "unknown"),
    ],
)
def test_values_compare(old: Any, new: Any, verdict: str) -> None:
    """Fingerprints under a key that both have tell; without one nothing does, and that is not `same`."""
    assert compared(old, new) == verdict
    assert compared(new, old) == verdict


def version(number: int, day: int, **fields: Any) -> Version:
    """A version that was seen on a day, with these values of a file."""
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
    given = {name: Field(value, "file") for name, value in fields.items()}
    return Version(number, "f" * 12, at, at, "", "", (), given)


def test_changes_are_told_by_name() -> None:
    """What one does not have, what moved, and what cannot be told; not what is the same."""
    old = {"a": Field(1, "file"), "b": Field(1, "file"), "c": Field(1, "file"), "d": Field(secret(k1="x"), "file")}
    new = {"a": Field(1, "file"), "b": Field(1, "environment"), "e": Field(1, "file"), "d": Field(secret(), "file")}
    told = [(one.name, one.verdict) for one in changes(old, new)]
    assert told == [("b", "same"), ("c", "changed"), ("d", "unknown"), ("e", "changed")]


def test_the_one_before_is_the_last_that_differs() -> None:
    """By when it was seen, not by its number: who went back to the first came from the third."""
    versions = [version(1, 9, a=1), version(2, 2, a=2), version(3, 8, a=3)]
    now = {"a": Field(1, "file")}
    assert [is_now(one, now) for one in versions] == [True, False, False]
    assert before(versions, now) == versions[2]
    assert before(versions[:1], now) is None


def test_fingerprints_are_found_wherever_they_are() -> None:
    """In order."""
    one, two = Print({"k": "1"}), Print({"k": "2"})
    assert secrets_in({"a": [Masked((one,)), 1], "b": {"c": Masked(("x", two))}}) == [one, two]
