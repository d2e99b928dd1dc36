"""What a limit, a call and a slot may be, and what errors say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.limits import Concurrency, Limit, policy
from postrmagic_core.limits.interface import UNITS
from postrmagic_core.stores import Keys

HOUR = Limit("hour", 100, 3600.0, burst=20)


@pytest.mark.parametrize(
    ("text", "amount", "period", "burst"),
    [
        ("10/minute", 10, 60.0, 10),
        (" 10 / minute ", 10, 60.0, 10),
        ("100/hour;burst=20", 100, 3600.0, 20),
        ("100/2 hours ; burst = 300", 100, 7200.0, 300),
        ("1/day", 1, 86_400.0, 1),
        ("5/30 seconds", 5, 30.0, 5),
        ("7/week", 7, 604_800.0, 7),
    ],
)
def test_a_limit_is_read_from_a_text(text: str, amount: int, period: float, burst: int) -> None:
    """Amount, period and burst; its name is the text."""
    limit = Limit.parse(text)
    assert (limit.amount, limit.period, limit.burst, limit.name) == (amount, period, burst, text.strip())
    assert Limit.parse(text, name="login").name == "login"


@pytest.mark.parametrize(
    "text", ["", "10", "10/", "/minute", "10/fortnight", "-1/minute", "1.5/minute", "10/minute;burst", "10/0x1 minute",
             "\u0661/minute", "10/minute;burst=-1", "10/minute\n;x", "9" * 50 + "/minute"]
)  # fmt: skip
def test_what_is_no_limit_is_told_with_an_example(text: str) -> None:
    """The error shows how to write one."""
    with pytest.raises(ValueError, match="such as '10/minute'"):
        Limit.parse(text)


@given(st.text())
def test_any_text_is_a_limit_or_a_value_error(text: str) -> None:
    """And nothing else happens."""
    try:
        limit = Limit.parse(text)
    except ValueError:
        return
    assert limit.name == text.strip()
    assert min(limit.amount, limit.burst, limit.period) > 0


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        (lambda: Limit("", 1, 1.0), "1 to 64 printable"),
        (lambda: Limit("a\nb", 1, 1.0), "1 to 64 printable"),
        (lambda: Limit("ä", 1, 1.0), "1 to 64 printable"),
        (lambda: Limit("a", 0, 1.0), "amount"),
        (lambda: Limit("a", True, 1.0), "amount"),
        (lambda: Limit("a", 1, 0.0), "period"),
        (lambda: Limit("a", 1, math.nan), "period"),
        (lambda: Limit("a", 1, math.inf), "period"),
        (lambda: Limit("a", 1, 1.0, burst=-1), "burst"),
        (lambda: Limit("a", 2_000_000, 1.0), "1,000,000 calls a second"),
        (lambda: Limit("a", 1, 86_400.0, burst=10_000), "ten years"),
        (lambda: Limit.parse("10/minute;burst=0"), "burst"),
        (lambda: HOUR.of("k", 0), "cost"),
        (lambda: HOUR.of("k", 21), "can never be admitted by hour: at most 20"),
        (lambda: Concurrency("a", 0), "slots"),
        (lambda: Concurrency("a", 10_001), "at most 10000 slots"),
        (lambda: Concurrency("a", 1, lease=0.0), "lease is"),
        (lambda: Concurrency("a", 1, lease=math.nan), "lease is"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(limit: object, says: str) -> None:
    """When it is made, not when a request comes; the error names what was expected."""
    with pytest.raises(ValueError, match=says):
        limit()  # type: ignore[operator]  # parametrised lambdas


@given(st.integers(1, 10_000), st.sampled_from(sorted(UNITS)), st.integers(1, 100))
def test_no_period_admits_more_than_the_amount(amount: int, unit: str, count: int) -> None:
    """What becomes free in a period is the amount at most, however it divides."""
    limit = Limit.parse(f"{min(amount, 1000)}/{count if unit in {'second', 'minute'} else 1} {unit}")
    assert int(limit.period * 1_000_000) // limit.emission_us <= limit.amount


@given(st.tuples(st.binary(max_size=300), st.binary(max_size=300)), st.sampled_from(["a", "a:b", "a b", "%3A"]))
def test_different_keys_never_share_a_bucket(keys: tuple[bytes, bytes], name: str) -> None:
    """Whatever bytes they are of, and however long; and no limit reaches another's."""
    names = policy.Names(Keys("app"))
    limit, other = Limit(name, 1, 1.0), Limit(f"{name}:x", 1, 1.0)
    first, second = (names.bucket(limit.of(key)) for key in keys)
    assert (first == second) == (keys[0] == keys[1])
    assert len({first, names.bucket(other.of(keys[0])), names.bucket(limit.of(b"x:" + keys[0]))}) == 3
    assert len(first) <= 240
    assert first.startswith(b"{app}:limit:")
