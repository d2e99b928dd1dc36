"""Answers to a question: one of each, told in numbers, and nothing of who gave them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from postrmagic_core._crypto import KeyRing
from postrmagic_core._metrics import Metrics
from postrmagic_core.database import DatabaseManager
from postrmagic_core.observability.experience import Experience
from postrmagic_core.observability.experience.interface import Comment, Survey
from postrmagic_core.observability.tables import survey_answers
from postrmagic_core.testing import FakeClock
from tests.observability.experience.conftest import KEYS


def test_answers_become_numbers(experience: Experience, clock: FakeClock) -> None:
    """Count, mean, how often each score, the newest comments."""
    asked = clock.now
    for score, said, who in ((5, "fine", "user 1"), (4, "", "user 2"), (5, " <b>too small</b> ", ""), (1, "", "")):
        assert experience.answer("usable", score, said, who=who)
        clock.sleep(60)
    assert experience.answer("other", 3)
    found = experience.survey("usable", comments=1)
    comment = Comment(asked + timedelta(seconds=120), 5, "<b>too small</b>")
    assert found == Survey("usable", 4, 3.75, (1, 0, 0, 1, 2), (comment,))
    assert [each.text for each in experience.survey("usable").comments] == ["<b>too small</b>", "fine"]
    late = experience.survey("usable", since=asked + timedelta(seconds=60))
    assert (late.count, late.scores) == (3, (1, 0, 0, 1, 1))
    assert experience.questions() == ["other", "usable"]


def test_nobody_has_answered(experience: Experience) -> None:
    """Nothing is not an error."""
    assert experience.survey("usable") == Survey("usable", 0, 0.0, (0, 0, 0, 0, 0))
    assert experience.questions() == []


def test_each_answers_once(experience: Experience) -> None:
    """The first answer holds; to another question the same user may answer."""
    assert experience.asks("usable", "user 1")
    assert experience.answer("usable", 5, who="user 1")
    assert not experience.answer("usable", 1, who="user 1")
    assert not experience.asks("usable", "user 1")
    assert experience.asks("usable", "user 2")
    assert experience.asks("other", "user 1")
    assert experience.asks("usable")
    assert experience.survey("usable").scores == (0, 0, 0, 0, 1)


def test_of_two_answers_at_once_one_is_kept(experience: Experience) -> None:
    """Where both found none before."""

    async def both() -> list[bool]:
        answers = (experience.aio.answer("usable", score, who="user 1") for score in (1, 5))
        return list(await asyncio.gather(*answers))

    assert sorted(asyncio.run(both())) == [False, True]
    assert experience.survey("usable").count == 1


def test_a_new_key_knows_who_answered_under_the_old_one(
    experience: Experience, database: DatabaseManager, clock: FakeClock
) -> None:
    """As long as the ring has it."""
    experience.answer("usable", 5, who="user 1")
    new = "b8Sl3nR0yX5wU2qM9tE4gH7iK1aYdWcO"
    turned = Experience(database, KeyRing([new, "a7Rk2mQ9xW4vT1pL8sD3fG6hJ0zXcVbN"]), clock=clock)
    assert not turned.asks("usable", "user 1")
    assert not turned.answer("usable", 1, who="user 1")


def test_nothing_in_the_table_says_who(experience: Experience, database: DatabaseManager) -> None:
    """Neither the user nor what a comment lets slip."""
    experience.answer("usable", 5, "ask alice@example.org, password=c4n4ry-Xy7", who="user alice@example.org")
    with database.read() as tx:
        (row,) = tx.execute(select(survey_answers)).mappings()
    assert "alice" not in str(row)
    assert "c4n4ry" not in str(row)


@pytest.mark.parametrize("score", [0, 6, True, 3.0, "3", None])
def test_a_score_is_one_to_five(score: int, experience: Experience) -> None:
    """A number that is one."""
    with pytest.raises(ValueError, match="expected a score"):
        experience.answer("usable", score)


def test_old_answers_are_forgotten(experience: Experience, database: DatabaseManager, clock: FakeClock) -> None:
    """Of 365 days ago."""
    for _ in range(3):
        experience.answer("usable", 5)
    clock.sleep(364 * 86_400)
    experience.answer("usable", 1)
    assert experience.sweep() == 0
    clock.sleep(2 * 86_400)
    assert experience.sweep() == 3
    with database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(survey_answers)) == 1


def test_both_faces_tell_the_same(experience: Experience, metrics: Metrics) -> None:
    """What is noted is noted at once, what is read is awaited."""

    async def told() -> None:
        aio = experience.aio
        aio.use("upload", "alice")
        aio.timing("/", load=0.5)
        assert await aio.flush()
        assert await aio.answer("usable", 4, "fine", who="user 1")
        assert not await aio.asks("usable", "user 1")
        assert await aio.survey("usable") == experience.survey("usable")
        assert await aio.questions() == ["usable"]
        since = experience.survey("usable").comments[0].at
        assert await aio.adoption(since) == experience.adoption(since)
        assert await aio.weeks("upload", weeks=2) == experience.weeks("upload", weeks=2)
        assert await aio.sweep() == 0

    asyncio.run(told())
    assert metrics.histogram("page_load_seconds", page="/").count == 1


class TestTiming:
    """Page loads are figures by page."""

    def test_each_figure_has_its_histogram(self, experience: Experience, metrics: Metrics) -> None:
        """Those that a browser does not know are not made up."""
        experience.timing("/media/{id}", load=1.2, lcp=0.9, layout_shift=0.02)
        found = {(name, dict(labels)["page"]): histogram.sum for name, labels, histogram in metrics.histograms()}
        assert found == {
            ("page_load_seconds", "/media/{id}"): 1.2,
            ("page_lcp_seconds", "/media/{id}"): 0.9,
            ("page_layout_shift", "/media/{id}"): 0.02,
        }

    def test_pages_have_an_end(self, database: DatabaseManager) -> None:
        """200 are told apart, the rest is one."""
        metrics = Metrics()
        experience = Experience(database, KEYS, metrics=metrics)
        for number in range(10_000):
            experience.timing(f"/{number}", load=0.1)
        counts = {dict(labels)["page"]: histogram.count for _, labels, histogram in metrics.histograms()}
        assert len(counts) == 201
        assert counts["other"] == 9800
        experience.timing("/7", load=0.1)
        assert metrics.histogram("page_load_seconds", page="/7").count == 2
