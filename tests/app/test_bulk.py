"""Many media changed by one request: each succeeds or fails by itself, and each is told."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from media_library.library import Library
from postrmagic_core.errors import BackendUnavailable
from tests.app.house import Browser, House, small
from tests.app.test_api import problem

BULK = "/api/v1/media/bulk"


def asked(browser: Browser, *items: dict[str, Any]) -> httpx.Response:
    """The answer to these items."""
    return browser.post(BULK, json={"items": items})


def told(answer: httpx.Response) -> list[tuple[int, str | None]]:
    """Of each item its status, and the code of its problem."""
    assert answer.status_code == 200, answer.text
    items = answer.json()["data"]
    assert [item["index"] for item in items] == list(range(len(items)))
    return [(item["status"], item.get("problem", {}).get("code")) for item in items]


def changed(media_id: int, **values: object) -> dict[str, object]:
    """An item that changes a medium."""
    return {"action": "change", "id": media_id} | values


def deleted(media_id: int) -> dict[str, object]:
    """An item that deletes one."""
    return {"action": "delete", "id": media_id}


def test_each_item_succeeds_or_fails_by_itself(any_house: House) -> None:
    """In their order: changed, deleted, not there; what failed undoes nothing, and a later item sees an earlier one."""
    visitor = any_house.browser()
    one, two, three = (any_house.add(small()).media_id for _ in range(3))
    answer = asked(
        visitor,
        changed(one, title="First", tags=["b", "A"]),
        deleted(two),
        deleted(two),
        changed(999_999, title="nobody's"),
        changed(one, tags=[]),
        changed(three),
    )
    gone = (404, "media.not_found")
    assert told(answer) == [(200, None), (204, None), gone, gone, (200, None), (200, None)]
    assert answer.json()["meta"] == {"succeeded": 4, "failed": 2}
    assert set(answer.json()) == {"data", "meta"}
    first, _, refused, *_, last = answer.json()["data"]
    assert (first["data"]["title"], first["data"]["tags"]) == ("First", ["a", "b"])
    assert refused["problem"]["type"] == "/problems/media.not_found"
    assert last["data"] == visitor.get(f"/api/v1/media/{three}").json()["data"]
    left = {item["id"]: (item["title"], item["tags"]) for item in visitor.get("/api/v1/media").json()["data"]}
    assert left == {one: ("First", []), three: ("poster", [])}
    assert visitor.get("/api/v1/stats").json()["data"]["media"] == 2


def test_another_user_s_media_are_not_there(any_house: House) -> None:
    """The same 404 as for none, word for word; the owner still has them as they were."""
    theirs = any_house.add(small(), "guest").media_id
    before = any_house.browser("guest").get(f"/api/v1/media/{theirs}").json()
    for browser in (any_house.browser(), any_house.browser("keeper")):
        answer = asked(browser, changed(theirs, title="mine"), changed(999_999, title="mine"), deleted(theirs))
        assert told(answer) == [(404, "media.not_found")] * 3
        documents = [item["problem"] for item in answer.json()["data"]]
        assert documents[0] == documents[1] == documents[2]
    assert any_house.browser("guest").get(f"/api/v1/media/{theirs}").json() == before


@pytest.mark.parametrize("count", [0, 101])
def test_there_are_one_to_a_hundred_items(house: House, visitor: Browser, count: int) -> None:
    """With one more nothing is done at all."""
    medium = house.add(small()).media_id
    document = problem(asked(visitor, *[deleted(medium)] * count), 422, "data.invalid")
    assert [error["pointer"] for error in document["errors"]] == ["/items"]
    assert visitor.get(f"/api/v1/media/{medium}").status_code == 200


def test_a_hundred_items_are_carried_out(house: House, visitor: Browser) -> None:
    """The most there may be."""
    medium = house.add(small()).media_id
    answer = asked(visitor, *(changed(medium, title=f"number {number}") for number in range(100)))
    assert answer.json()["meta"] == {"succeeded": 100, "failed": 0}
    assert visitor.get(f"/api/v1/media/{medium}").json()["data"]["title"] == "number 99"


@pytest.mark.parametrize(
    "item",
    [
        {"action": "destroy", "id": 1},
        {"id": 1},
        {"action": "delete"},
        {"action": "delete", "id": -1},
        {"action": "delete", "id": "1"},
        {"action": "delete", "id": 10**18},
        {"action": "delete", "id": 1, "title": "x"},
        {"action": "change", "id": 1, "title": ""},
        {"action": "change", "id": 1, "title": "one\ntwo"},
        {"action": "change", "id": 1, "tags": ["x"] * 21},
        {"action": "change", "id": 1, "user_id": 2},
        None,
        [],
    ],
)
def test_one_item_that_is_none_refuses_them_all(house: House, visitor: Browser, item: Any) -> None:
    """What is wrong is told by its place; nothing was tried."""
    medium = house.add(small()).media_id
    document = problem(asked(visitor, deleted(medium), item), 422, "data.invalid")
    assert all(error["pointer"].startswith("/items/1") for error in document["errors"])
    assert visitor.get(f"/api/v1/media/{medium}").status_code == 200


def test_a_token_deletes_only_what_it_may(house: House) -> None:
    """The route asks for the right to edit; each deletion for its own."""
    mine = house.add(small()).media_id
    issued = house.application.stack.security.access_tokens.issue(
        str(house.user_id()), "script", permissions=["media:edit:own"]
    )
    client = house.browser(None)
    client.headers["Authorization"] = f"Bearer {issued.token}"
    assert told(asked(client, deleted(mine), changed(mine, title="edited"))) == [(404, "media.not_found"), (200, None)]
    assert house.browser().get(f"/api/v1/media/{mine}").json()["data"]["title"] == "edited"


def test_what_fails_here_is_told_without_a_word_of_it(
    house: House, visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of ours is 500 for its item and the next is tried; once the database is away the rest is not."""
    media = [house.add(small()).media_id for _ in range(4)]
    change = Library.change

    def failing(self: Library, who: Any, media_id: int, **values: Any) -> None:
        if media_id == media[0]:
            raise KeyError("canary-4711")
        if media_id == media[2]:
            raise BackendUnavailable("canary-4711")
        change(self, who, media_id, **values)

    monkeypatch.setattr(Library, "change", failing)
    answer = asked(visitor, *(changed(each, title="new") for each in media))
    assert told(answer) == [
        (500, "internal"),
        (200, None),
        (503, BackendUnavailable.code),
        (503, "bulk.not_tried"),
    ]
    assert "canary" not in answer.text
    assert visitor.get(f"/api/v1/media/{media[3]}").json()["data"]["title"] == "poster"


def test_sent_again_with_its_key_nothing_happens_twice(house: House, visitor: Browser) -> None:
    """A deletion that was answered is answered the same, not with 404."""
    medium, key = house.add(small()).media_id, {"Idempotency-Key": "many-1"}
    answers = [visitor.post(BULK, json={"items": [deleted(medium)]}, headers=key) for _ in range(2)]
    assert [told(answer) for answer in answers] == [[(204, None)]] * 2
    assert answers[1].json() == answers[0].json()
