"""Pages of the list as they are kept: made once, everybody's own, and never another answer than a fresh one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import update

from media_library.listings import MEDIA
from media_library.tables import media, users
from postrmagic_core.api.prepared import PreparedReply
from tests.app.house import Browser, House, small


def page(house: House, user: int, **asked: object) -> PreparedReply:
    """What the handler of the list answers, without HTTP."""
    asks = house.application.library.ask(user, MEDIA.Query.model_validate(asked))
    return house.application.pages.reply(user, asks)


def computed(house: House) -> int:
    """How many values were computed for the cache so far."""
    return house.application.stack.cache.stats().computes


def test_a_page_is_made_once_and_a_search_each_time(any_house: House) -> None:
    """Searches are hardly ever repeated: to keep one costs more than it spares."""
    house, user = any_house, any_house.user_id()
    house.add(small())
    before = computed(house)
    assert page(house, user) == page(house, user)
    assert computed(house) == before + 1
    assert page(house, user, q="poster") == page(house, user, q="poster")
    assert computed(house) == before + 1
    assert page(house, user, q="").body == page(house, user, q="").body
    assert computed(house) == before + 2  # no words: a list like any other


def test_each_user_has_their_own(any_house: House) -> None:
    """The same question by somebody else is another one."""
    house = any_house
    house.add(small())
    mine, theirs = (json.loads(page(house, house.user_id(name)).body) for name in ("demo", "guest"))
    assert (len(mine["data"]), theirs["data"]) == (1, [])


def test_a_search_is_up_to_date_without_any_invalidation(house: House) -> None:
    """What a list may show a moment longer, it shows at once."""
    user, added = house.user_id(), house.add(small())
    assert len(json.loads(page(house, user, q="tag:late").body)["data"]) == 0
    who = house.who()
    house.application.library.change(who, added.media_id, title=None, tag_names=["late"])
    assert len(json.loads(page(house, user, q="tag:late").body)["data"]) == 1
    with house.application.stack.database.write() as tx:
        tx.execute(update(media).values(title="unseen"))
    assert json.loads(page(house, user, q="tag:late").body)["data"][0]["title"] == "unseen"


def test_an_item_of_the_list_is_what_it_is_by_itself(visitor: Browser) -> None:
    """From the cache and fresh, from the list and from a search."""
    added = visitor.added()
    alone = visitor.get(f"/api/v1/media/{added['id']}").json()["data"]
    for path in ("/api/v1/media", "/api/v1/media", "/api/v1/media?tag=none&limit=1", "/api/v1/media?limit=1"):
        answer = visitor.get(path)
        assert answer.status_code == 200
        items = answer.json()["data"]
        assert items == ([] if "tag" in path else [alone])


def test_a_kept_page_has_its_entity_tag(visitor: Browser) -> None:
    """The same as long as nothing changes, and another at once when something does."""
    added = visitor.added()
    first = visitor.get("/api/v1/media")
    etag = first.headers["etag"]
    again = visitor.get("/api/v1/media", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert first.content == visitor.get("/api/v1/media").content
    visitor.patch(f"/api/v1/media/{added['id']}", json={"title": "Opera"})
    changed = visitor.get("/api/v1/media", headers={"If-None-Match": etag})
    assert (changed.status_code, changed.json()["data"][0]["title"]) == (200, "Opera")


@pytest.mark.parametrize("change", [{"name": "renamed"}, {"password_us": 1}, {}])
def test_the_account_of_each_request_is_read_anew(house: House, visitor: Browser, change: dict[str, Any]) -> None:
    """A password that was changed ends the session at the next request, whatever is kept; so does an account's end."""
    assert visitor.get("/api/v1/media").status_code == 200
    with house.application.stack.database.write() as tx:
        tx.execute(update(users).where(users.c.id == house.user_id()).values(change or {"id": 99}))
    assert visitor.get("/api/v1/media").status_code == (200 if "name" in change else 401)
