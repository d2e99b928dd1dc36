"""What is decided about users: days, weeks, hashes, percentiles, comments."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core._clock import from_us, to_us
from postrmagic_core._crypto import KeyRing
from postrmagic_core._metrics import Metrics
from postrmagic_core.observability.experience import policy
from postrmagic_core.observability.experience.interface import PageFigures
from postrmagic_core.observability.metrics.policy import Buckets, Totals
from postrmagic_core.observability.metrics.reading import Reader

OLD, NEW = "a7Rk2mQ9xW4vT1pL8sD3fG6hJ0zXcVbN", "b8Sl3nR0yX5wU2qM9tE4gH7iK1aYdWcO"


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - aware
def test_a_week_begins_on_its_monday(at: datetime) -> None:
    """In UTC, at midnight, at most a week before."""
    now_us = to_us(at)
    week, day = from_us(policy.week_of(now_us)), from_us(policy.day_of(now_us))
    assert (week.weekday(), week.time()) == (0, datetime.min.time())
    assert 0 <= (at - week).total_seconds() < 7 * 86_400
    assert (day.date(), day.time()) == (at.date(), datetime.min.time())


def test_a_user_is_a_hash_by_the_key() -> None:
    """The same one under one key, another under another, and it says nothing."""
    one = policy.user_hash(KeyRing([NEW]), "alice@example.org")
    assert one == policy.user_hash(KeyRing([NEW, OLD]), "alice@example.org")
    assert one != policy.user_hash(KeyRing([OLD]), "alice@example.org")
    assert one != policy.user_hash(KeyRing([NEW]), "bob@example.org")
    assert (len(one), "alice" in one) == (32, False)
    assert policy.user_hash(KeyRing([NEW]), 7) == policy.user_hash(KeyRing([NEW]), "7")
    assert policy.user_hash(KeyRing([NEW]), None) == policy.user_hash(KeyRing([NEW]), "") == ""


def test_answers_to_two_questions_cannot_be_put_together() -> None:
    """Each question has another hash of the same user, and none of them is that of a feature."""
    keys = KeyRing([NEW, OLD])
    hashes = {*policy.who_hashes(keys, "a", "user 7"), *policy.who_hashes(keys, "b", "user 7")}
    assert len(hashes | {policy.user_hash(keys, "user 7"), policy.user_hash(keys, "7")}) == 6


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (" good\x00\x1b[31m\nvery ", "good  [31m\nvery"),
        ("write to alice.b+c@mail.example.org!", "write to [address]!"),
        ("call +49 (170) 123-45 67 or 0170/1234567", "call [number] or [number]"),
        ("poster 12 of 2026", "poster 12 of 2026"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_of_a_comment_what_tells_who_is_left_out(written: str, kept: str) -> None:
    """Control characters, addresses and long numbers; markup stays what it is, a text."""
    assert policy.kept(written) == kept


def test_a_comment_has_no_secret() -> None:
    """What the log would mask is masked here as well."""
    told = policy.kept("it says password=c4n4ry-Xy7 and https://user:c4n4ry-Xy7@example.net/")
    assert "c4n4ry" not in told


@given(st.text(max_size=2000))
def test_whatever_is_written_fits(text: str) -> None:
    """500 characters of UTF-8, of which a column of 2,000 bytes takes each."""
    kept = policy.kept(text)
    assert len(kept) <= 500
    assert len(kept.encode()) <= 2000


def test_a_percentile_lies_within_its_bucket() -> None:
    """On a line through it; at the last bound where it lies beyond."""
    buckets = Buckets((1.0, 2.0, 4.0), (2, 0, 2, 0), 0)
    assert policy.quantile(buckets, 0.75) == 3.0
    assert policy.quantile(buckets, 0.5) == 1.0
    assert policy.quantile(buckets, 0.25) == 0.5
    assert policy.quantile(Buckets((1.0, 2.0), (0, 0, 5), 0), 0.75) == 2.0
    assert policy.quantile(Buckets((1.0, 2.0), (0, 0, 0), 0), 0.75) is None


def test_pages_are_read_from_the_figures() -> None:
    """Of what no browser told there is nothing; figures of others are passed over."""
    metrics = Metrics()
    metrics.counter("other_total").add()
    for _ in range(4):
        metrics.histogram("page_load_seconds", (1.0, 2.0), page="/media/{id}").observe(1.5)
    metrics.histogram("page_load_seconds", (1.0, 2.0), page="/").observe(0.5)
    metrics.histogram("page_layout_shift", (0.25,), page="/").observe(0.0)
    found = policy.pages(Reader(metrics).read("web"))
    assert found == [
        PageFigures("/media/{id}", 4, 1.75, None, None, None, None),
        PageFigures("/", 1, 0.75, None, None, None, 0.1875),
    ]
    assert policy.pages(Totals()) == []
