"""How backups are named, and which stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.backups.policy import Retention, name_of, superseded, taken_at

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
instants = st.integers(0, 2 * 365 * 86_400).map(lambda seconds: NOON - timedelta(seconds=seconds))
rules = st.builds(Retention, st.integers(1, 5), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))


def names(*at: datetime) -> list[str]:
    """A name for each instant; of the same second, different ones."""
    return [name_of(each, f"{number:03x}") for number, each in enumerate(at)]


def test_a_name_tells_when_it_was_taken() -> None:
    """Given an instant of another zone, when a backup is named, then the name is in UTC and tells the second."""
    there = datetime(2026, 11, 29, 23, 31, 31, 999, tzinfo=UTC).astimezone()
    name = name_of(there, "0123456789abcdef" * 2)
    assert name == "postrmagic-20261129T233131Z-003e7012.backup"
    assert taken_at(name) == datetime(2026, 11, 29, 23, 31, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "notes.txt",
        "postrmagic-20261129T233131Z-01234567.backup.old",
        "postrmagic-20261129T233131Z-0123456.backup",
        "postrmagic-20261329T233131Z-01234567.backup",
        "postrmagic-20261129T233131Z-0123456G.backup",
        "postrmagic-20261129T233131Z-01234567.backup\n",
        "postrmagic-\uff120261129T233131Z-01234567.backup",
        ".postrmagic-20261129T233131Z-01234567.backup.1.00000000.part",
    ],
)
def test_other_names_are_none_of_a_backup(name: str) -> None:
    """Given a file of another name, when it is looked at, then it is no backup and is never to be removed."""
    assert taken_at(name) is None
    assert superseded([name, *names(NOON)], Retention(1, 0, 0, 0)) == []


@given(st.lists(instants, max_size=60), rules)
def test_the_newest_always_stays(at: list[datetime], keep: Retention) -> None:
    """Given any backups and rules, when they are thinned out, then as many of the newest stay as is said."""
    gone = superseded(names(*at), keep)
    assert not set(sorted(names(*at))[-keep.last :]) & set(gone)
    assert gone == sorted(gone)


@given(st.lists(instants, max_size=60), rules)
def test_what_a_rule_keeps_stays(at: list[datetime], keep: Retention) -> None:
    """Given any backups and rules, when they are thinned out, then each of the latest periods has its last one."""
    gone = set(superseded(names(*at), keep))
    dated = [(taken_at(name), name) for name in names(*at)]
    kept = {found for found, name in dated if name not in gone}
    for number, form in ((keep.daily, "%Y%m%d"), (keep.weekly, "%G%V"), (keep.monthly, "%Y%m")):
        periods = sorted({f"{found:{form}}" for found, _ in dated})[-number:] if number else []
        for period in periods:
            last = max(found for found, _ in dated if found is not None and f"{found:{form}}" == period)
            assert last in kept


@given(st.lists(instants, max_size=40), rules)
def test_thinning_out_twice_removes_nothing_more(at: list[datetime], keep: Retention) -> None:
    """Given what was left, when it is thinned out again, then all of it stays, so that a rerun costs nothing."""
    gone = set(superseded(names(*at), keep))
    rest = [name for name in names(*at) if name not in gone]
    assert superseded(rest, keep) == []


def test_a_year_of_nights_leaves_what_the_rules_say() -> None:
    """Given a backup each night of a year, when 3, 7, 4 and 12 are kept, then 7 days, older weeks and months stay."""
    nights = names(*(NOON - timedelta(days=day) for day in range(365)))
    gone = superseded(nights, Retention(3, 7, 4, 12))
    kept = [taken_at(name) for name in nights if name not in gone]
    days = [f"{at:%m-%d}" for at in kept if at is not None]
    assert days[:7] == ["11-29", "11-28", "11-27", "11-26", "11-25", "11-24", "11-23"]
    assert days[7:] == [
        "11-22", "11-15", "11-08", "10-31", "09-30", "08-31", "07-31", "06-30", "05-31", "04-30", "03-31", "02-28",
        "01-31", "12-31",
    ]  # fmt: skip


def test_two_of_the_newest_second_both_stay() -> None:
    """Given two backups of one second, when one is to be kept, then both are."""
    both = names(NOON, NOON)
    assert superseded([*both, *names(NOON - timedelta(seconds=1))[:1]], Retention(1, 0, 0, 0)) == [
        name_of(NOON - timedelta(seconds=1), "0" * 8)
    ]
