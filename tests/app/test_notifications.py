"""What users are told: once for each thing that happened, together until they have seen it, and not for ever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from media_library.events import Notable, PosterReady, QuotaNearlyUsed
from media_library.notifications import KEPT_US
from media_library.tables import notifications
from media_library.tasks import forget_notifications
from tests.app.house import Browser, House, small
from tests.app.test_jobs import done, settle
from tests.app.test_worker_killed import rows, told

pytestmark = pytest.mark.usefixtures("unseen")


def tell(house: House, *events: Notable) -> None:
    """Have these events told, as the listener does it."""
    for event in events:
        house.application.stack.database.transact(house.application.notifications.add, event)


def ready(house: House, user: str = "demo") -> PosterReady:
    """A poster of the user's that became ready."""
    return PosterReady(user_id=house.user_id(user), digest="0" * 64)


def listed(visitor: Browser) -> dict[str, Any]:
    """The whole answer."""
    answer = visitor.get("/api/v1/notifications")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_posters_that_became_ready_are_told_together(any_house: House) -> None:
    """From the upload over thumbnails and event to one line that counts them; another user is told nothing."""
    house = any_house
    visitor = house.browser()
    assert listed(visitor) == {"data": [], "meta": {"unread": 0}}
    for _ in range(3):
        house.add(small())
    settle(house)
    found = listed(visitor)
    (line,) = found["data"]
    assert (line["kind"], line["amount"], line["message"]) == ("posters_ready", 3, "3 posters are ready.")
    assert (line["read"], found["meta"]["unread"]) == (False, 1)
    assert datetime.now(UTC) - datetime.fromisoformat(line["changed_at"]) < timedelta(minutes=5)
    assert listed(house.browser("guest")) == {"data": [], "meta": {"unread": 0}}


def test_who_shares_a_file_is_told_once_and_not_again(house: House) -> None:
    """Both holders waited for the thumbnails; who adds the file later did not wait, and is told nothing."""
    data = small()
    house.add(data)
    house.add(data, "guest")
    settle(house)
    assert listed(house.browser())["data"][0]["amount"] == listed(house.browser("guest"))["data"][0]["amount"] == 1
    house.application.library.delete(house.who("guest"), house.add(data, "guest").media_id)
    house.add(data, "guest")
    settle(house)
    assert listed(house.browser("guest"))["data"][0]["amount"] == 1


def test_seen_lines_stay_and_the_next_begins_another(house: House) -> None:
    """What changed after the page was drawn is not taken for seen."""
    visitor = house.browser()
    tell(house, ready(house))
    seen = listed(visitor)["data"][0]["changed_at"]
    tell(house, ready(house))
    assert visitor.post("/api/v1/notifications/read", json={"until": seen}).status_code == 204
    assert listed(visitor)["meta"]["unread"] == 1
    later = listed(visitor)["data"][0]["changed_at"]
    assert later > seen
    assert visitor.post("/api/v1/notifications/read", json={"until": later}).status_code == 204
    assert listed(visitor)["meta"]["unread"] == 0
    tell(house, ready(house))
    assert [(line["amount"], line["read"]) for line in listed(visitor)["data"]] == [(1, False), (2, True)]


def test_a_clock_that_was_set_back_hides_no_change(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that changed again is later than it was."""
    tell(house, ready(house))
    clock = house.application.notifications._clock
    monkeypatch.setattr(clock, "now_us", lambda: 1_000_000, raising=False)
    before = listed(house.browser())["data"][0]["changed_at"]
    tell(house, ready(house))
    assert listed(house.browser())["data"][0]["changed_at"] > before


def test_told_in_parallel_nothing_is_missing(any_house: House) -> None:
    """Twelve at once are one line that says twelve."""
    house = any_house
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda event: tell(house, event), [ready(house)] * 12))
    assert told(house) == [("posters_ready", 12)]


@pytest.mark.parametrize(("room", "expected"), [(10.5, []), (10.0, [90]), (9.1, [98])])
def test_a_user_is_told_when_the_room_is_nearly_used(house: House, room: float, expected: list[int]) -> None:
    """Once, by the upload that reaches the mark; ``room``: how many files of 5,000 bytes fit, of which nine come."""
    house.limit(int(5000 * room))
    for count in (7, 2):
        house.add(small().ljust(5000 * count, b"\0"))
    settle(house)
    assert [amount for kind, amount in told(house) if kind == "quota_nearly_used"] == expected
    if expected:
        messages = [line["message"] for line in listed(house.browser())["data"]]
        assert f"{expected[0]} % of your room is used." in messages


def test_an_upload_that_did_not_happen_is_not_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event stands in the upload's transaction."""

    def broken(*_: Any) -> None:
        raise OSError(5, "the disk is gone")

    data = small()
    house.limit(len(data) + 10)
    monkeypatch.setattr(house.application.library.storage, "place", broken)
    with pytest.raises(OSError, match="the disk is gone"):
        house.add(data)
    settle(house)
    assert told(house) == []


def test_of_two_shares_the_greater_is_told(house: House) -> None:
    """Percentages are not added up."""
    user = house.user_id()
    tell(house, QuotaNearlyUsed(user_id=user, percent=97), QuotaNearlyUsed(user_id=user, percent=91))
    assert told(house) == [("quota_nearly_used", 97)]


def test_old_notifications_are_forgotten_every_night(house: House) -> None:
    """By schedule; what is younger stays."""
    tell(house, ready(house), QuotaNearlyUsed(user_id=house.user_id(), percent=97))
    with house.application.stack.database.write() as tx:
        old = update(notifications).where(notifications.c.kind == "posters_ready")
        tx.execute(old.values(changed_us=notifications.c.changed_us - KEPT_US - 1))
    schedules = {each.name: each.spec for each in house.application.stack.jobs.schedules()}
    assert schedules["forget-notifications"] == "17 3 * * *"
    assert done(house, forget_notifications.call()).state == "succeeded"
    assert told(house) == [("quota_nearly_used", 97)]


def test_an_event_that_nobody_can_put_in_words_is_told_to_nobody(house: House) -> None:
    """Rather an error, which stays as a dead delivery, than a line that says something else."""

    class Unheard(Notable):
        """Nobody said how to tell it."""

    with pytest.raises(TypeError, match="how to tell users of Unheard"):
        tell(house, Unheard(user_id=house.user_id()))
    assert rows(house, notifications) == 0


@pytest.mark.parametrize("until", [None, "", "yesterday", "2026-01-01T00:00:00", 10**30])
def test_what_is_no_instant_is_refused(house: House, visitor: Browser, until: Any) -> None:
    """With the field's name, and nothing is taken for seen."""
    tell(house, ready(house))
    answer = visitor.post("/api/v1/notifications/read", json={"until": until})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == "/until"
    assert listed(visitor)["meta"]["unread"] == 1


def test_who_is_not_logged_in_is_told_nothing(house: House) -> None:
    """Neither to read nor to have read."""
    stranger = house.browser(None)
    assert stranger.get("/api/v1/notifications").status_code == 401
    body = {"until": "2026-01-01T00:00:00Z"}
    assert stranger.post("/api/v1/notifications/read", json=body).status_code == 401
