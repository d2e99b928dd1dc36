"""What a test leaves in a house that stands for the whole run is gone before the next one."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from media_library.tables import users
from tests.app.conftest import Standing
from tests.app.house import House, small
from tests.app.standing import putting_back


def disturb(house: House) -> None:
    """Leave something in every place there is."""
    visitor, guest = house.browser(), house.browser("guest")
    house.add(small())
    house.application.accounts.add("ann", "!")
    house.application.stack.security.access.revoke(str(house.user_id("guest")), "user", actor=None)
    assert visitor.get("/api/v1/media").json()["data"]
    assert guest.get("/api/v1/media").status_code == 403
    assert guest.get("/api/v1/admin/audit").status_code == 403


@pytest.mark.parametrize("fixture", ["standing", pytest.param("standing_on_mysql", marks=pytest.mark.mysql)])
def test_everything_is_as_it_was_furnished(fixture: str, request: pytest.FixtureRequest) -> None:
    """Rows, files, sessions, what the cache holds and what the process remembers of roles."""
    stands: Standing = request.getfixturevalue(fixture)
    house = putting_back(*stands)
    before, old = house.left, house.browser("guest")
    disturb(house)
    assert house.left != before
    house = putting_back(*stands)
    assert house.left == before
    assert old.get("/api/v1/me").status_code == 401
    assert house.browser("guest").get("/api/v1/media").status_code == 200
    assert house.browser().get("/api/v1/media").json()["data"] == []
    with house.application.stack.database.read() as unit:
        assert list(unit.scalars(select(users.c.name).order_by(users.c.id))) == ["demo", "guest", "keeper"]
