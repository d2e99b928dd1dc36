"""Answers made once: what is sent is what would have been rendered, of the declared model, and nothing else."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core._codec import decode, encode
from postrmagic_core.api import Reply, delete, get
from postrmagic_core.api.envelope import Data, Page
from postrmagic_core.api.interface import Deprecation, PlainResponse
from postrmagic_core.api.prepared import Prepared
from postrmagic_core.errors import UsageError
from postrmagic_core.validation.responses import Output

from .doubles_endpoint import ask, call, endpoint_of


class Thing(Output):
    """A thing."""

    id: int
    name: str = ""


class Longer(Output):
    """A thing that has one field more."""

    id: int
    name: str = ""
    size: int = 0


THINGS = Prepared(Page[Thing])


def listing(result: Any, **details: Any) -> Any:
    """An operation of a list that answers ``result``."""

    @get("/things", Page[Thing], access="public", **details)
    def show(self: Any) -> Any:
        """Show them."""
        return result

    return endpoint_of(show)


def both(envelope: dict[str, Any], **details: Any) -> tuple[PlainResponse, PlainResponse]:
    """The answer that was prepared, and the one that is rendered for each call."""
    kept = THINGS.reply(THINGS.keep(envelope))
    plain = Reply(envelope["data"], next=envelope.get("next"))
    return ask(listing(kept, **details)), ask(listing(plain, **details))


names = st.text(st.characters(codec=None), max_size=5)


@given(st.lists(st.fixed_dictionaries({"id": st.integers(), "name": names}), max_size=3), st.none() | names)
@settings(max_examples=15, deadline=None)
def test_it_is_the_very_answer_that_would_be_rendered(data: list[dict[str, Any]], cursor: str | None) -> None:
    """Status, headers and every byte, with its entity tag and without."""
    for details in ({}, {"conditional": True}):
        prepared, rendered = both({"data": data, "next": cursor}, **details)
        assert prepared == rendered


def test_what_is_said_of_the_operation_is_said_of_it() -> None:
    """That it is deprecated, for one."""
    prepared, rendered = both({"data": []}, deprecated=Deprecation(date(2026, 1, 1)))
    assert prepared == rendered
    assert "deprecation" in prepared.headers


def test_a_client_that_has_it_is_not_sent_it() -> None:
    """By the entity tag that was kept, which is the body's."""
    endpoint = listing(THINGS.reply(THINGS.keep({"data": [{"id": 1}]})), conditional=True)
    etag = ask(endpoint).headers["etag"]
    assert ask(endpoint, headers={"if-none-match": etag}).status == 304
    assert ask(endpoint, headers={"if-none-match": '"other"'}).status == 200
    assert ask(endpoint, headers={"if-match": '"other"'}).status == 412


def test_what_is_kept_are_plain_values_that_a_cache_can_keep() -> None:
    """The same comes back from bytes; of a column that nobody declared nothing is in them."""
    kept = THINGS.keep({"data": [{"id": 1, "name": "a", "password": "hidden"}], "next": "c"})
    assert decode(encode(kept)) == kept
    assert json.loads(kept[0]) == {"data": [{"id": 1, "name": "a"}], "next": "c"}


def test_what_does_not_fit_is_never_kept() -> None:
    """And nothing of it is repeated."""
    with pytest.raises(UsageError, match="does not fit its model") as caught:
        THINGS.keep({"data": [{"id": "canary"}]})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("model", [Page[Longer], Data[Thing], Data[list[Thing]]])
def test_what_another_model_made_is_not_sent(model: Any) -> None:
    """An operation answers what it declares: a mistake of the application otherwise."""
    other = Prepared(model)
    kept = other.keep({"data": {"id": 1} if model is Data[Thing] else [{"id": 1}]})
    with pytest.raises(UsageError, match="prepared by another model"):
        ask(listing(other.reply(kept)))


def test_nothing_is_sent_of_an_operation_that_has_no_body() -> None:
    """It declares no model at all."""

    @delete("/things", access="public")
    def remove(self: Any) -> Any:
        """Remove them."""
        return THINGS.reply(THINGS.keep({"data": []}))

    with pytest.raises(UsageError, match="prepared by another model"):
        ask(endpoint_of(remove))


def test_an_entity_tag_that_a_store_spoilt_never_becomes_a_header() -> None:
    """What comes back from a cache is data: a line break in it would begin a header of its own."""
    body, _ = THINGS.keep({"data": []})
    with pytest.raises(UsageError, match="gave the header"):
        ask(listing(THINGS.reply((body, '"a"\r\nset-cookie: x=1')), conditional=True))


def test_the_shape_changes_with_the_model_and_only_with_it() -> None:
    """Keys that name it part what two versions of an application keep."""
    assert Prepared(Page[Thing]).shape == THINGS.shape
    assert Prepared(Page[Longer]).shape != THINGS.shape
    assert THINGS.shape.isalnum()


def test_a_kept_answer_does_not_show_in_what_is_printed() -> None:
    """Bodies of users do not belong into logs and tracebacks."""
    kept = THINGS.reply(THINGS.keep({"data": [{"id": 1, "name": "canary"}]}))
    assert "canary" not in repr(kept)
    assert call(listing(kept)).method == "GET"
