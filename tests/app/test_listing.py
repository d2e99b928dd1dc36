"""Lists over HTTP: what they can be filtered and sorted by, and pages that stay exact while rows come and go."""

from __future__ import annotations

import base64
import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from media_library.posters import POSTERS, draw
from media_library.tables import media
from tests.app.house import Browser, House, arrived, open_house, small
from tests.app.test_api import problem
from tests.app.test_jobs import settle

LIST = "/api/v1/media"


def page(browser: Browser, **asked: object) -> dict[str, Any]:
    """One page."""
    answer = browser.get(LIST, params={name: str(value) for name, value in asked.items()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert set(found) == {"data", "next"}
    return found


def ids(browser: Browser, **asked: object) -> list[int]:
    """The media of a page."""
    return [item["id"] for item in page(browser, **asked)["data"]]


def pages(browser: Browser, **asked: object) -> list[list[int]]:
    """The media of every page from the first to the last."""
    found, after = [], None
    while True:
        told = page(browser, **asked | ({} if after is None else {"after": after}))
        found.append([item["id"] for item in told["data"]])
        after = told["next"]
        if after is None:
            return found


def refused(browser: Browser, **asked: object) -> list[tuple[str, str]]:
    """Where and with which codes a query is refused."""
    document = problem(browser.get(LIST, params={name: str(one) for name, one in asked.items()}), 422, "data.invalid")
    return [(error["pointer"], error["code"]) for error in document["errors"]]


def titled(house: House, *titles: str, user: str = "demo") -> list[int]:
    """Media of these titles, of about the same size, the first one the oldest."""
    library, found = house.application.library, []
    for title in titles:
        path, info = arrived(house.application, small())
        found.append(library.add(house.user_id(user), path, info, title=title, filename=f"{title}.jpeg").media_id)
    return found


# Order and size


def test_a_list_is_sorted_by_what_was_asked(any_house: House) -> None:
    """Both ways; of equal keys the id decides, in the direction of the first key."""
    visitor = any_house.browser()
    b, a, c, second = titled(any_house, "b", "a", "c", "a")
    assert ids(visitor) == ids(visitor, sort="-created_at") == [second, c, a, b]
    assert ids(visitor, sort="created_at") == [b, a, c, second]
    assert ids(visitor, sort="title") == [a, second, b, c]
    assert ids(visitor, sort="-title") == [c, b, second, a]
    assert ids(visitor, sort="title,-created_at") == [second, a, b, c]
    sizes = {item["id"]: item["size"] for item in page(visitor)["data"]}
    assert ids(visitor, sort="size,created_at") == sorted(sizes, key=lambda one: (sizes[one], one))


@pytest.mark.parametrize("sort", ["title", "-title", "-created_at", "size,-title"])
@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_hold_each_medium_once(house: House, visitor: Browser, sort: str, limit: int) -> None:
    """However many a page has, together they are the list."""
    titled(house, *"abcabca")
    found = pages(visitor, sort=sort, limit=limit)
    assert [one for each in found for one in each] == ids(visitor, sort=sort)
    assert [len(each) for each in found] == [limit] * (7 // limit) + [7 % limit] * (7 % limit > 0)


@pytest.mark.parametrize(
    ("asked", "pointer", "code"),
    [
        ({"limit": 0}, "/limit", "greater_than_equal"),
        ({"limit": 101}, "/limit", "less_than_equal"),
        ({"limit": "many"}, "/limit", "int_parsing"),
        ({"sort": "digest"}, "/sort", "sort.unknown"),
        ({"sort": "user_id"}, "/sort", "sort.unknown"),
        ({"sort": "title desc"}, "/sort", "sort.unknown"),
        ({"type": "image/gif"}, "/type/0", "literal_error"),
        ({"orientation": "round"}, "/orientation/0", "literal_error"),
        ({"uploaded_from": "yesterday"}, "/uploaded_from", None),
        ({"uploaded_from": "2026-01-01T00:00:00"}, "/uploaded_from", "timezone_aware"),
        ({"tag": ""}, "/tag", None),
        ({"q": "x" * 501}, "/q", "string_too_long"),
        ({"user_id": 2}, "/user_id", "extra_forbidden"),
        ({"offset": 24}, "/offset", "extra_forbidden"),
        ({"page[size]": 5}, "/page[size]", "extra_forbidden"),
    ],
)
def test_nothing_else_can_be_asked_for(
    visitor: Browser, asked: dict[str, object], pointer: str, code: str | None
) -> None:
    """A name that is misspelt is told, too: a list that was not filtered would be taken for one that was."""
    ((place, found),) = refused(visitor, **asked)
    assert place == pointer
    assert code in {None, found}


def test_a_parameter_is_given_once(visitor: Browser) -> None:
    """Which of two holds each server would say differently."""
    answer = visitor.get(f"{LIST}?limit=1&limit=2")
    assert [error["pointer"] for error in problem(answer, 422, "data.invalid")["errors"]] == ["/limit"]


# Filters


def test_a_list_is_filtered_by_each_of_its_filters(any_house: House) -> None:
    """Tag, type, orientation, time and words, alone and together; of one's own media only."""
    visitor, library = any_house.browser(), any_house.application.library
    any_house.browser("guest").added()
    upright = visitor.added(small())["id"]
    wide = visitor.added(draw(POSTERS[0], seed=77, size=(90, 60)), name="opera night.jpeg")["id"]
    png = next(poster for poster in POSTERS if poster.filename.endswith(".png"))
    other = visitor.added(draw(png, seed=78, size=(60, 80)), name="p.png")["id"]
    settle(any_house)
    for each, names in ((upright, ["night", "jazz"]), (wide, ["night"])):
        library.change(any_house.who(), each, title=None, tag_names=names)
    assert ids(visitor, tag="night") == [wide, upright]
    assert ids(visitor, tag="NIGHT", sort="created_at") == [upright, wide]
    assert ids(visitor, tag="nigh") == []
    assert ids(visitor, type="image/png") == [other]
    assert ids(visitor, type="image/jpeg", tag="jazz") == [upright]
    both = visitor.get(f"{LIST}?type=image/png&type=image/jpeg&orientation=portrait").json()["data"]
    assert [item["id"] for item in both] == [other, upright]
    assert ids(visitor, orientation="landscape") == [wide]
    assert ids(visitor, orientation="portrait", tag="night") == [upright]
    assert ids(visitor, q="opera") == ids(visitor, q="opera", tag="night", type="image/jpeg") == [wide]
    assert ids(visitor, q="opera", tag="jazz") == []
    assert ids(visitor, q="") == [other, wide, upright]
    times = {item["id"]: datetime.fromisoformat(item["created_at"]) for item in page(visitor)["data"]}
    assert ids(visitor, uploaded_from=times[wide].isoformat()) == [other, wide]
    assert ids(visitor, uploaded_before=times[wide].isoformat()) == [upright]
    later = (times[wide] + timedelta(microseconds=1)).isoformat()
    assert ids(visitor, uploaded_from=times[wide].isoformat(), uploaded_before=later) == [wide]


def test_pages_of_a_filtered_list_are_filtered_all(house: House, visitor: Browser) -> None:
    """To its end."""
    many = titled(house, *(f"number {number}" for number in range(9)))
    for each in many[::2]:
        house.application.library.change(house.who(), each, title=None, tag_names=["even"])
    assert pages(visitor, tag="even", limit=2) == [[many[8], many[6]], [many[4], many[2]], [many[0]]]
    assert pages(visitor, q="number", tag="even", limit=4, sort="title") == [many[0:8:2], [many[8]]]


# While rows come and go


@pytest.mark.parametrize("sort", ["-created_at", "created_at", "title", "-title", "size"])
def test_pages_stay_exact_while_media_come_and_go(any_house: House, sort: str) -> None:
    """What was there all the time is told once, in order; nothing is told twice, whatever was added or deleted."""
    visitor, library = any_house.browser(), any_house.application.library
    there = titled(any_house, *"dbecafdbecaf")
    gone: set[int] = set()
    seen: list[int] = []
    expected = ids(visitor, sort=sort)
    asked: dict[str, object] = {"sort": sort, "limit": 3}
    for turn in itertools.count():
        told = page(visitor, **asked)
        seen += [item["id"] for item in told["data"]]
        if told["next"] is None:
            break
        asked["after"] = told["next"]
        if turn < 3:
            titled(any_house, "a", "f", "dd")
        # The row that the cursor points at, and one that is still to come.
        leaving = {seen[-1], *[one for one in expected if one not in seen and one not in gone][-1:]}
        for each in leaving & set(there):
            library.delete(any_house.who(), each)
            gone.add(each)
    stayed = [one for one in expected if one not in gone]
    assert stayed
    assert gone
    assert [one for one in seen if one in stayed] == stayed
    assert len(seen) == len(set(seen))


def test_of_many_that_came_in_the_same_instant_none_is_lost(any_house: House) -> None:
    """The sort key alone does not tell them apart."""
    visitor, many = any_house.browser(), titled(any_house, *["same"] * 7)
    with any_house.application.stack.database.write() as tx:
        tx.execute(update(media).values(created_us=1_700_000_000_000_000))
    any_house.application.stack.cache.clear()
    assert pages(visitor, limit=2) == [many[:4:-1], many[4:2:-1], many[2:0:-1], many[:1]]
    assert [one for each in pages(visitor, limit=3, sort="title") for one in each] == many


# Cursors


@pytest.fixture
def cursor(house: House, visitor: Browser) -> str:
    """Where the second page begins, of the demo user's media by title with the tag night."""
    for each in titled(house, *"abc"):
        house.application.library.change(house.who(), each, title=None, tag_names=["night"])
    found: str = page(visitor, limit=1, sort="title", tag="night")["next"]
    return found


def test_a_cursor_is_for_the_list_it_was_given_with(house: House, visitor: Browser, cursor: str) -> None:
    """Another filter, sort or user, or another list, is 422; another size of page is not."""
    titled(house, *"abc", user="guest")
    same: dict[str, Any] = {"sort": "title", "tag": "night", "after": cursor}
    assert len(ids(visitor, **same)) == 2
    assert len(ids(visitor, **same, limit=1)) == 1
    wrong = [("/after", "cursor.invalid")]
    for other in ({"sort": "-title"}, {"sort": "created_at"}, {"tag": "jazz"}, {"q": "a"}, {"type": "image/jpeg"}):
        assert refused(visitor, **same | other) == wrong, other
    assert refused(visitor, after=cursor) == wrong
    for name in ("guest", "keeper"):
        assert refused(house.browser(name), **same) == wrong
    answer = house.browser("keeper").get("/api/v1/admin/users", params={"after": cursor})
    assert [error["code"] for error in problem(answer, 422, "data.invalid")["errors"]] == ["cursor.invalid"]


def test_a_cursor_cannot_be_made_or_changed(visitor: Browser, cursor: str) -> None:
    """It is signed, and tells nothing of an id."""
    same: dict[str, Any] = {"sort": "title", "tag": "night"}
    turned = [cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :] for at in range(0, len(cursor), 5)]
    own = base64.urlsafe_b64encode(b'["a",1]').decode().rstrip("=")
    for forged in (*turned, cursor[:-1], cursor + "A", cursor + cursor, own, "null", "0", "\u00e9", "%00"):
        assert refused(visitor, **same, after=forged)[0][0] == "/after"


def test_a_user_s_cursors_outlive_a_restart(house: House, cursor: str) -> None:
    """The key is the application's, not the process's."""
    settings = house.application.stack.settings
    with open_house(settings) as again:
        assert len(ids(again.browser(), sort="title", tag="night", after=cursor)) == 2
