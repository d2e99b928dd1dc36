"""A request, a form of one field and a response, as every framework has them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, NamedTuple

import pytest
from pydantic import AfterValidator, model_validator
from pydantic_core import PydanticCustomError

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.validation import Input, Validator, invalid
from tests.docs.playing import Page


class Response(NamedTuple):
    """A framework's."""

    body: bytes | str
    status: int
    headers: dict[str, str]
    media_type: str = "text/plain"


def few(seats: int) -> int:
    """One is left."""
    if seats > 1:
        raise PydanticCustomError("seats.left", "there are {left} left", {"left": 1})
    return seats


class NewPoster(Input):
    """A poster."""

    title: str


class Account(Input):
    """A form whose rules have codes of their own."""

    password: str
    again: str
    seats: Annotated[int, AfterValidator(few)] = 0

    @model_validator(mode="after")
    def same(self) -> Account:
        """Twice the same."""
        if self.password != self.again:
            raise invalid("password.mismatch", "the passwords differ")
        return self


def play(page: Page) -> None:
    """The answer is in the language that was asked for; words of one's own come in it."""
    page.names.update(Response=Response, new_poster=Validator(NewPoster), Account=Account, body=b'{"title": "Gala"}')
    page.names["request"] = SimpleNamespace(headers={"accept-language": "de-AT, en;q=0.5"})
    shown = page.run()
    assert shown["locale"] == "de"
    refused = shown["create"](b"{}", "de")
    assert (refused.status, refused.headers["Content-Language"], refused.media_type) == (
        422,
        "de",
        shown["CONTENT_TYPE"],
    )
    assert "fehlt" in refused.body.decode()
    assert shown["create"](b'{"title": "Gala"}', "de").status == 201
    for data, told in (
        ({"password": "a", "again": "a", "seats": 2}, "nur 1 Platz ist frei"),
        ({"password": "a", "again": "b"}, shown["OWN"]["password.mismatch"]),
    ):
        with pytest.raises(ValidationFailed) as refusal:
            shown["accounts"].validate(data, locale="de")
        assert [problem["message"] for problem in refusal.value.errors] == [told]
    assert "<form" in shown["form"]([], None)
