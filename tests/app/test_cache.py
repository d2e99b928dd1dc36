"""The application's use of the cache: what is kept, what ends it, what is warm before anybody asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert

from media_library.library import tag_of
from media_library.tables import renditions
from postrmagic_core.errors import OutsideUnit
from tests.app.house import Browser, House, small


def computed(house: House) -> int:
    """How many values were computed so far."""
    return house.application.stack.cache.stats().computes


@pytest.mark.parametrize("asks", ["list", "filter", "stats", "medium"])
def test_what_was_asked_once_comes_from_the_cache(any_house: House, asks: str) -> None:
    """Lists, filtered or not, statistics and single media alike; to each user their own."""
    house = any_house
    library, user = house.application.library, house.user_id()
    media_id = house.add(small()).media_id
    ask: dict[str, Callable[[int], Any]] = {
        "list": house.page,
        "filter": lambda user: house.page(user, type=["image/jpeg"]),
        "stats": library.stats,
        "medium": lambda user: library.get(user, media_id),
    }
    before = computed(house)
    first, second = ask[asks](user), ask[asks](user)
    assert first == second
    assert computed(house) == before + 1
    if asks != "medium":
        assert ask[asks](house.user_id("guest")) != first
        assert computed(house) == before + 2


def test_a_search_is_not_kept(house: House) -> None:
    """Whoever searches finds what is there; the cache is not filled with words that nobody asks for again."""
    user, before = house.user_id(), house.application.stack.cache.stats()
    house.add(small())
    found = [house.page(user, q="poster") for _ in range(3)]
    assert [len(each["data"]) for each in found] == [1, 1, 1]
    after = house.application.stack.cache.stats()
    assert (after.hits, after.misses) == (before.hits, before.misses)


def test_every_change_is_seen_at_once(visitor: Browser) -> None:
    """An upload, new words and a deletion, each in the list, the statistics and by itself."""

    def seen() -> tuple[list[str], int]:
        listed = [item["title"] for item in visitor.get("/api/v1/media").json()["data"]]
        return listed, visitor.get("/api/v1/stats").json()["data"]["media"]

    assert seen() == ([], 0)
    one = f"/api/v1/media/{visitor.added()['id']}"
    assert seen() == (["poster"], 1)
    assert visitor.get(one).json()["data"]["title"] == "poster"
    visitor.patch(one, json={"title": "Opera"})
    assert (seen(), visitor.get(one).json()["data"]["title"]) == ((["Opera"], 1), "Opera")
    visitor.delete(one)
    assert (seen(), visitor.get(one).status_code) == (([], 0), 404)


def test_a_thumbnail_is_seen_as_soon_as_its_rows_are_committed(house: House) -> None:
    """Not before, and not if they are taken back: the invalidation belongs to the unit."""
    library, stack, user = house.application.library, house.application.stack, house.user_id()
    media_id = house.add(small()).media_id
    digest = library.get(user, media_id)["digest"]

    def make(fail: bool) -> None:
        with stack.database.write() as tx:
            tx.execute(insert(renditions).values(digest=digest, format="webp", size=1))
            stack.cache.invalidate(tag_of(user), tx=tx)
            if fail:
                raise RuntimeError("taken back")

    before = computed(house)
    with pytest.raises(RuntimeError):
        make(fail=True)
    assert not library.get(user, media_id)["thumbnail"]
    assert computed(house) == before
    make(fail=False)
    assert library.get(user, media_id)["thumbnail"]


def test_an_invalidation_that_forgets_its_unit_is_refused(house: House) -> None:
    """The guard that keeps a change and its invalidation together."""
    with house.application.stack.database.write(), pytest.raises(OutsideUnit):
        house.application.stack.cache.invalidate(tag_of(1))


def test_warming_leaves_nothing_to_compute_for_those_who_come(house: House) -> None:
    """First pages and statistics of everybody with media, the latest first; nobody else's."""
    library = house.application.library
    house.add(small(), "guest")
    house.add(small())
    demo, guest = house.user_id(), house.user_id("guest")
    assert library.lately_active() == [demo, guest]
    assert library.lately_active(1) == [demo]
    report = house.application.stack.cache.warm()
    assert [(one.name, one.outcome, one.computes) for one in report.warmers] == [
        ("lists", "done", 2),
        ("stats", "done", 2),
    ]
    before = computed(house)
    for user in (demo, guest):
        house.page(user)
        library.stats(user)
    assert computed(house) == before


def test_the_hit_rate_is_shown(house: House, visitor: Browser) -> None:
    """Beside the statistics: the share of this process's reads that found something."""
    visitor.added()
    rates = [visitor.get("/api/v1/stats").json()["meta"]["cache_hit_rate"] for _ in range(4)]
    assert rates == sorted(rates)
    assert 0 < rates[-1] < 1
    assert rates[-1] == round(house.application.stack.cache.stats().hit_rate, 3)
