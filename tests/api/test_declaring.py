"""Operations are declared where they are carried out, and what cannot be is refused before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, assert_type

import pytest
from pydantic import BaseModel

from postrmagic_core.api import Call, delete, get, patch, post, put
from postrmagic_core.api.declaring import operations_of
from postrmagic_core.api.envelope import Data, DataWith, Page, PageWith
from postrmagic_core.api.interface import Example, Files, Operation
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.security.access import requires
from postrmagic_core.validation import Input
from postrmagic_core.validation.images import ImageUpload, ReceivedImage
from postrmagic_core.validation.interface import ImagePolicy
from postrmagic_core.validation.responses import Output

if TYPE_CHECKING:
    from decimal import Decimal


class Thing(Output):
    """A thing."""

    id: int


class Query(Input):
    """A query."""

    limit: int = 9


class NewThing(Input):
    """A body."""

    name: str


class Upload(Input):
    """A form."""

    file: Annotated[ReceivedImage, ImageUpload(ImagePolicy(), reencode=False)]


class Things:
    """Things."""

    group = "things"

    @get("/things", Page[Thing], access="public", conditional=True, headers={"Link": "The next page."})
    def list_things(self, query: Query) -> list[Any]:
        """List things,
        the newest first.

        By ``limit``.

        And so on.
        """
        return []

    @post("/things", Data[Thing], access="thing:create", status=201, also={200: Data[Thing]}, problems=["thing.taken"])
    async def add_thing(self, call: Call, body: NewThing) -> dict[str, int]:
        """Add a thing."""
        return {}

    @put("/things/{id}/picture", None, access="thing:edit:own")
    def put_picture(self, id: int, body: Upload) -> None:
        """Put a picture."""

    @delete("/things/{id}", access="signed-in", examples=[Example("One", path={"id": "1"})])
    def delete_thing(self, id: int) -> None:
        """Delete a thing."""

    def helper(self) -> None:
        """No operation."""


def only(handler: Any) -> Operation:
    """The operation of one handler."""
    (found,) = operations_of(type("Things", (), {"__doc__": "Things.", handler.__name__: handler}))
    return found


def test_a_class_says_everything() -> None:
    """In the order in which it is written."""
    listed, added, put_, deleted = operations_of(Things)
    assert [one.name for one in (listed, added, put_, deleted)] == [
        "list_things",
        "add_thing",
        "put_picture",
        "delete_thing",
    ]
    assert (listed.method, listed.path, listed.group) == ("GET", "/things", "things")
    assert (listed.summary, listed.description) == ("List things, the newest first", "By ``limit``.\n\nAnd so on.")
    assert (listed.query, listed.body, listed.values, listed.conditional) == (Query, None, {}, True)
    assert listed.headers == {"Link": "The next page."}
    assert (added.answers, added.problems) == ({201: Data[Thing], 200: Data[Thing]}, ("thing.taken",))
    assert (added.body, added.body_type, added.access) == (NewThing, "application/json", "thing:create")
    assert (put_.values, put_.body_type, put_.answers) == ({"id": int}, "multipart/form-data", {204: None})
    assert (deleted.answers, deleted.examples) == ({204: None}, (Example("One", path={"id": "1"}),))


def test_the_first_status_is_that_of_the_answer() -> None:
    """Whatever stands beside it."""
    assert list(operations_of(Things)[1].answers) == [201, 200]


def test_a_subclass_has_the_operations_of_its_class() -> None:
    """In the same order; one that it overrides without declaring it is none."""

    class More(Things):
        """More things."""

        @get("/more", Data[int], access="public")
        def more(self) -> int:
            """Show more."""
            return 1

        def delete_thing(self, id: int) -> None:
            """Delete nothing."""

    assert [one.name for one in operations_of(More)] == ["list_things", "add_thing", "put_picture", "more"]


def test_the_class_is_the_group_where_none_is_named() -> None:
    """Its name."""

    @get("/things", Data[int], access="public")
    def show(self: Any) -> int:
        """Show."""
        return 1

    assert only(show).group == "Things"


def test_other_decorators_may_stand_on_either_side() -> None:
    """As long as they wrap what they decorate."""

    def plain(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    @plain
    @get("/things/{id}", Data[int], access="public")
    @requires("thing:read")
    def show(self: Any, id: int) -> int:
        """Show."""
        return 1

    assert only(show).values == {"id": int}


def test_a_handler_keeps_its_type() -> None:
    """For who calls it, and for type checkers."""
    things = Things()
    assert_type(things.list_things(Query()), list[Any])
    assert_type(things.delete_thing(1), None)
    assert things.list_things(Query()) == []


def declared(
    method: Any = get, path: str = "/things", answer: Any = Data[Thing], access: str = "public", **details: Any
) -> Callable[[], Operation]:
    """A declaration, to be looked at."""

    def look() -> Operation:
        def show(self: Any) -> None:
            """Show."""

        return only(method(path, answer, access=access, **details)(show))

    return look


class Bare(Output):
    """No envelope."""

    items: list[int]


class Wide(Output):
    """Too much of an envelope."""

    data: int
    total: int


@pytest.mark.parametrize(
    ("look", "told"),
    [
        *(
            (declared(path=path), "expected a path")
            for path in ("things", "/things/", "//things", "/a b", "/{a}b", "/ä")
        ),
        *((declared(path=path), "expected a path") for path in ("/{", "/{A}", "/{1}", "/things?x=1", "/a%2Fb", "")),
        (declared(path="/things/{id}"), "must name the same values once: see id"),
        (declared(answer=Bare), "an answer is an envelope"),
        (declared(answer=Wide), "an answer is an envelope .* has data, total"),
        (declared(answer=list[int]), "an answer is an envelope"),
        (declared(answer=Thing), "an answer is an envelope"),
        (declared(answer=None, status=200), "200 is no status"),
        (declared(status=204), "204 is no status"),
        (declared(status=404), "404 is no status"),
        (declared(status=302), "302 is no status"),
        (declared(also={304: None}), "304 is no status"),
        (declared(also={200: Data[int]}), "each status once"),
        (declared(also={202: Bare}), "an answer is an envelope"),
        (declared(access=""), "access is"),
        (declared(access="media"), "access is"),
        (declared(access="media:*"), "access is"),
        (declared(access="signed_in"), "access is"),
        (declared(access="media:read\n"), "access is"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(look: Callable[[], Operation], told: str) -> None:
    """With the operation's name and what was expected."""
    with pytest.raises(ConfigurationError, match=told) as raised:
        look()
    assert "show" in str(raised.value)


@pytest.mark.parametrize("answer", [Data[Thing], Page[Thing], DataWith[Thing, Thing], PageWith[Thing, Thing]])
def test_every_envelope_is_one(answer: Any) -> None:
    """Data, with or without next and meta."""
    assert declared(answer=answer)().answers == {200: answer}
    assert declared(answer=Files(["text/plain"]))().answers == {200: Files(["text/plain"])}


class Model(BaseModel):
    """A model that checks nothing strictly."""


def _untyped(self: Any, id) -> None:  # type: ignore[no-untyped-def]  # what is refused
    """Show."""


def _of_model(self: Any, query: Model) -> None:
    """Show."""


def _of_text(self: Any, body: str) -> None:
    """Show."""


def _of_body(self: Any, body: NewThing) -> None:
    """Show."""


def _silent(self: Any) -> None: ...


def _unknown(self: Any, id: Decimal) -> None:
    """Show."""


@pytest.mark.parametrize(
    ("method", "handler", "path", "told"),
    [
        (get, _untyped, "/x/{id}", "the parameter 'id' needs its type"),
        (get, _of_model, "/x", "query is annotated with an Input, got Model"),
        (post, _of_text, "/x", "body is annotated with an Input, got str"),
        (get, _of_body, "/x", "a GET has no body"),
        (get, _silent, "/x", "its docstring is what the reference says"),
        (get, _unknown, "/x/{id}", "the type Decimal is not known"),
        (get, _unknown, "/x/{id}/{id}", "the type Decimal is not known"),
    ],
)
def test_a_handler_that_cannot_be_is_refused(method: Any, handler: Any, path: str, told: str) -> None:
    """With its name."""

    def fresh(*args: Any, **kwargs: Any) -> Any:
        """Stand for it, as a handler is marked once."""

    wrapped = wraps(handler)(fresh)
    with pytest.raises(ConfigurationError, match=told) as raised:
        only(method(path, Data[Thing], access="public")(wrapped))
    assert handler.__name__ in str(raised.value)


def test_a_method_is_one_operation() -> None:
    """The second declaration would take the place of the first."""
    with pytest.raises(ConfigurationError, match="show is declared twice"):

        @patch("/things", Data[Thing], access="public")
        @put("/things", Data[Thing], access="public")
        def show(self: Any) -> None:
            """Show."""
