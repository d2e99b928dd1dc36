"""Bodies, forms and data that a program was sent."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from types import SimpleNamespace

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.validation import Input, Validator
from tests.docs.playing import Page


class Search(Input):
    """A query string."""

    words: str = ""


def refused(validator: Validator[Input], data: object) -> list[str]:
    """The codes of what is wrong with the data."""
    try:
        validator.validate(data)
    except ValidationFailed as error:
        return [one["code"] for one in error.errors]
    return []


def play(page: Page) -> None:
    """Each way to read is gone; each class refuses what its lines say."""
    data = {"title": "Gala", "slug": "gala"}
    page.names.update(data=data, body=b'{"title": "Gala", "slug": "gala"}', pairs=[("slug", "gala")])
    page.names["form"] = SimpleNamespace(multi_items=lambda: [("title", "Gala"), ("slug", "gala")])
    page.names["page"] = lambda name, **given: (name, given)
    page.names.update(content_type="application/json", stream=BytesIO(page.names["body"]), raw_query=b"words=a")
    page.names["new_search"] = Validator(Search)
    shown = page.run(5)
    assert shown["poster"].title == "Gala"
    assert shown["search"].words == "a"
    assert shown["upload"]([("slug", "gala")]) == ("upload.html", {"errors": {"title": ["is required"]}})
    bad = Validator(shown["NewPoster"])
    assert refused(bad, {"slug": "gala", "tags": ["a", "b", "<c>"]}) == ["missing", "tag.characters"]
    shown = page.run(1)
    account = {"login": "acme", "name": "A", "email": "a@example.org", "country": "CH"}
    assert refused(Validator(shown["Account"]), account) != []
    assert refused(Validator(shown["Account"]), account | {"login": "alice"}) == []
    page.names["data"] = {"title": "Gala"}
    shown = page.run()
    assert refused(Validator(shown["Account"]), {"password": "a", "again": "b"}) == ["password.mismatch"]
    booking = {
        "password": "a",
        "again": "a",
        "starts": date(2026, 1, 1),
        "ends": date(2026, 1, 2),
        "mail": "a",
        "vat": "x",
    }
    assert refused(Validator(shown["Booking"]), booking) == []
    wrong = {"again": "b", "starts": date(2026, 1, 3), "mail": None, "vat": None, "kind": "firm"}
    assert len(refused(Validator(shown["Booking"]), booking | wrong)) == 5
