"""Warming: warmers run in the order of their needs, within a time limit, and one that fails stops only who needs it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core._unit import entered
from postrmagic_core.cache import CacheManager
from postrmagic_core.cache.warming import Warmed, WarmReport, order
from postrmagic_core.errors import BackendTimeout, ConfigurationError, NotOpen, OutsideUnit
from postrmagic_core.stores import open_store
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing import FakeClock
from tests.crowd import crowd

Warm = Callable[..., WarmReport]


class Unit:
    """An open write unit of some database."""

    database_id = "test"


@pytest.fixture
def cache(frozen_clock: FakeClock) -> Iterator[CacheManager]:
    """A cache in memory whose clock moves when told."""
    with CacheManager(MemoryStore(), clock=frozen_clock) as opened:
        yield opened


@pytest.fixture(params=["sync", "async"])
def warm(request: pytest.FixtureRequest, cache: CacheManager) -> Warm:
    """The cache's ``warm()`` on either face."""
    if request.param == "sync":
        return cache.warm
    return lambda *args, **options: asyncio.run(cache.aio.warm(*args, **options))


def outcomes(report: WarmReport) -> list[tuple[str, str]]:
    """Name and outcome of each, in order."""
    return [(one.name, one.outcome) for one in report.warmers]


def test_warmers_fill_the_cache_whichever_kind_they_are(cache: CacheManager, warm: Warm) -> None:
    """Plain and coroutine functions, on either face; what is fresh already is not computed again."""

    @cache.warmer("plain")
    def plain(cache: CacheManager) -> None:
        cache.get_or_set("a", lambda: 1, fresh=60)

    @cache.aio.warmer("awaited", after=["plain"])
    async def awaited(cache: CacheManager) -> None:
        await cache.aio.get_or_set("b", lambda: 2, fresh=60)
        await cache.aio.get_or_set("c", lambda: 3, fresh=60)

    report = warm()
    assert report == WarmReport((Warmed("plain", "done", computes=1), Warmed("awaited", "done", computes=2)), 0.0)
    assert report.complete
    assert cache.get_many(["a", "b", "c"]) == {"a": 1, "b": 2, "c": 3}
    assert [one.computes for one in warm().warmers] == [0, 0]


def test_names_choose_warmers_and_bring_what_they_need(cache: CacheManager, warm: Warm) -> None:
    """In the order of needs; the others stay."""
    ran: list[str] = []
    for name, after in {"lists": ("users",), "users": (), "stats": ("users",), "front": ("lists", "stats")}.items():
        cache.warmer(name, after=after)(lambda _, name=name: ran.append(name))
    warm(["lists"])
    assert ran == ["users", "lists"]
    ran.clear()
    warm()
    assert ran == ["users", "lists", "stats", "front"]


def test_past_its_time_limit_no_other_begins(cache: CacheManager, warm: Warm, frozen_clock: FakeClock) -> None:
    """The one under way ends; the report says what was left."""
    for name in ("a", "b", "c"):
        cache.warmer(name)(lambda _: frozen_clock.advance(3))
    report = warm(time_limit=5)
    assert outcomes(report) == [("a", "done"), ("b", "done"), ("c", "left")]
    assert report.of("left") == ("c",)
    assert (report.seconds, report.warmers[0].seconds) == (6, 3)
    assert not report.complete
    assert outcomes(warm(time_limit=0)) == [("a", "left"), ("b", "left"), ("c", "left")]


def test_one_that_fails_stops_only_those_that_need_it(
    cache: CacheManager, warm: Warm, caplog: pytest.LogCaptureFixture
) -> None:
    """Directly or over others; the error is logged, and the report has its code without its text."""

    def fail(error: Exception) -> Callable[[CacheManager], None]:
        def warmer(cache: CacheManager) -> None:
            raise error

        return warmer

    cache.warmer("away")(fail(BackendTimeout("no answer")))
    cache.warmer("wrong", after=["away"])(fail(ValueError("hunter2")))
    cache.warmer("later", after=["wrong"])(lambda _: None)
    cache.warmer("odd")(fail(ValueError("hunter2")))
    cache.warmer("well")(lambda _: None)
    report = warm()
    assert sorted((one.name, one.outcome, one.error) for one in report.warmers) == [
        ("away", "failed", "backend.timeout"),
        ("later", "skipped", "wrong"),
        ("odd", "failed", "ValueError"),
        ("well", "done", ""),
        ("wrong", "skipped", "away"),
    ]
    logged = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert logged == ["the warmer away failed", "the warmer odd failed"]


def test_progress_is_reported(cache: CacheManager, warm: Warm) -> None:
    """Before each, and at the end."""
    cache.warmer("a")(lambda _: None)
    cache.warmer("b")(lambda _: None)
    seen: list[tuple[str, int, int]] = []
    warm(report=lambda *what: seen.append(what))
    assert seen == [("a", 0, 2), ("b", 1, 2), ("", 2, 2)]


def test_nothing_to_warm_is_nothing_done(warm: Warm) -> None:
    """And complete."""
    assert warm().complete


@pytest.mark.parametrize(
    ("needs", "names", "says"),
    [
        ({"a": ("b",)}, None, "no warmer 'b', which 'a' needs: there are a"),
        ({"a": ()}, ["c"], "no warmer 'c': there are a"),
        ({}, ["c"], "there are none"),
        (
            {"a": ("b",), "b": ("c",), "c": ("a",)},
            None,
            "in a circle: a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c",
        ),
        ({"a": ("a",)}, ["a"], "in a circle: a -> a"),
    ],
)
def test_needs_that_cannot_be_met_are_refused(
    cache: CacheManager, warm: Warm, needs: dict[str, tuple[str, ...]], names: list[str] | None, says: str
) -> None:
    """Before anything runs, by name."""
    for name, after in needs.items():
        cache.warmer(name, after=after)(lambda _: pytest.fail("it ran"))
    with pytest.raises(ConfigurationError, match=says):
        warm(names)


def test_a_name_is_given_once(cache: CacheManager) -> None:
    """A second warmer of that name would never run."""
    cache.warmer("a")(print)
    cache.warmer("a")(print)
    with pytest.raises(ConfigurationError, match="already"):
        cache.warmer("a")(repr)


def test_lone_strings_and_impossible_time_limits_are_refused(cache: CacheManager, warm: Warm) -> None:
    """As everywhere."""
    with pytest.raises(TypeError, match=r"after=\['users'\]"):
        cache.warmer("a", after="users")
    with pytest.raises(TypeError, match=r"names=\['users'\]"):
        warm("users")
    for time_limit in (-1, float("nan")):
        with pytest.raises(ValueError, match="seconds"):
            warm(time_limit=time_limit)


def test_warming_needs_an_open_cache_and_no_unit(cache: CacheManager) -> None:
    """Inside a unit everything would be computed and nothing stored."""
    closed = CacheManager(MemoryStore())
    with pytest.raises(NotOpen):
        closed.warm()
    with pytest.raises(NotOpen):
        asyncio.run(closed.aio.warm())
    with entered(Unit()), pytest.raises(OutsideUnit, match="do it outside"):  # type: ignore[arg-type]  # nothing is asked of it
        cache.warm()


def test_an_async_warmer_on_a_running_loop_needs_the_async_face(
    cache: CacheManager, caplog: pytest.LogCaptureFixture
) -> None:
    """The sync face has no loop to run it on; the log says what to write instead."""

    @cache.warmer("a")
    async def awaited(cache: CacheManager) -> None: ...

    async def main() -> WarmReport:
        return cache.warm()

    assert asyncio.run(main()).warmers[0].error == "usage"
    assert "await cache.aio.warm()" in caplog.text


def test_async_warming_does_not_stop_the_loop(cache: CacheManager) -> None:
    """A plain warmer blocks a thread, not the loop; cancelled, nothing else begins."""
    begun, end, ran = threading.Event(), threading.Event(), []

    @cache.warmer("slow")
    def slow(cache: CacheManager) -> None:
        begun.set()
        assert end.wait(10)

    @cache.warmer("next")
    def next_one(cache: CacheManager) -> None:
        ran.append("next")

    async def main() -> None:
        warming = asyncio.create_task(cache.aio.warm())
        assert await asyncio.to_thread(begun.wait, 10)
        warming.cancel()
        end.set()
        with pytest.raises(asyncio.CancelledError):
            await warming

    asyncio.run(main())
    assert ran == []


def fill(url: str, ledger: str) -> None:
    """A process that warms one entry, computed once by all of them."""

    def compute() -> str:
        with Path(ledger).open("a") as lines:
            lines.write("computed\n")
        return "warm"

    with CacheManager(store := open_store(url, timeout=10)) as cache:
        cache.warmer("a")(lambda cache: cache.get_or_set("k", compute, fresh=60))
        print(cache.warm().complete)  # noqa: T201 - tells the test
    store.close()


def test_processes_that_start_together_warm_once(tmp_path: Path) -> None:
    """Warming is get_or_set() with its lease: three processes, one computation."""
    ledger = tmp_path / "ledger"
    with crowd(fill, *[(f"sqlite:///{tmp_path / 'kv.db'}", str(ledger))] * 3) as children:
        assert [child.line() for child in children] == ["True"] * 3
        assert [child.wait() for child in children] == [0] * 3
    assert ledger.read_text().splitlines() == ["computed"]


@given(st.dictionaries(st.sampled_from("abcdef"), st.frozensets(st.sampled_from("abcdef"), max_size=2)), st.data())
def test_everyone_comes_after_what_it_needs(needs: dict[str, frozenset[str]], data: Any) -> None:
    """Of any needs without a circle: exactly those asked for and what they need, each once."""
    acyclic = {name: [other for other in others if other < name and other in needs] for name, others in needs.items()}
    names = data.draw(st.none() | st.sets(st.sampled_from(sorted(acyclic))) if acyclic else st.none())
    found = order(acyclic, names)
    assert len(found) == len(set(found))
    for place, name in enumerate(found):
        assert set(acyclic[name]) <= set(found[:place])
    asked = set(acyclic if names is None else names)
    assert asked <= set(found)
    assert all(name in asked or any(name in acyclic[other] for other in found) for name in found)
