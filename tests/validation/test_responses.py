"""Responses by model: what is declared leaves, exactly; what is not, or cannot be said, does not."""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, JsonValue, Secret, SecretBytes, SecretStr, computed_field
from pydantic import model_serializer as whole
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from postrmagic_core.errors import ConfigurationError, UsageError
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation.responses import Data, Disclosed, FiniteOrNull, Output, Page, Responses

CANARY = "c4n4ry-4711"


class Owner(Output):
    """Somebody."""

    name: str


class Item(Output):
    """Something that somebody has."""

    id: int
    title: str
    owner: Owner | None = None


ITEMS = Responses(Page[Item])
ITEM = Responses(Item)
TEXT = Responses(Data[str])
NUMBER = Responses(Data[float])


class Base(DeclarativeBase):
    """The mapped classes of these tests."""


class Row(Base):
    """A row with a column that nobody declared."""

    __tablename__ = "rows"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    password_hash: Mapped[str]


@dataclass
class Plain:
    """A dataclass with more than is declared."""

    id: int
    title: str
    password_hash: str


class Named(NamedTuple):
    """A tuple with names."""

    id: int
    title: str
    password_hash: str


class Inner(Item):
    """A subclass that knows more."""

    internal: str


class Foreign(BaseModel):
    """A model of somebody else's."""

    model_config = ConfigDict(extra="allow")
    id: int
    title: str


def orm_row() -> object:
    """A mapped object."""
    return Row(id=1, title="x", password_hash=CANARY)


def core_row(mapping: bool = False) -> object:
    """A row of a query, by attributes or as a mapping."""
    rows = Table("rows", MetaData(), Column("id", Integer), Column("title", String), Column("password_hash", String))
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        rows.create(connection)
        connection.execute(insert(rows).values(id=1, title="x", password_hash=CANARY))
        row = connection.execute(select(rows)).one()
    engine.dispose()
    return row._mapping if mapping else row


SOURCES: dict[str, Callable[[], object]] = {
    "dict": lambda: {"id": 1, "title": "x", "password_hash": CANARY},
    "mapped object": orm_row,
    "row": core_row,
    "row as a mapping": lambda: core_row(mapping=True),
    "dataclass": lambda: Plain(1, "x", CANARY),
    "named tuple": lambda: Named(1, "x", CANARY),
    "subclass": lambda: Inner(id=1, title="x", internal=CANARY),
    "another model": lambda: Foreign.model_validate({"id": 1, "title": "x", "password_hash": CANARY}),
    "unchecked model": lambda: Item.model_construct(id=1, title="x", password_hash=CANARY),
}


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_not_declared_does_not_leave(source: str) -> None:
    """Whatever holds it, a column or attribute beside the declared ones stays; also inside lists."""
    value = SOURCES[source]()
    assert json.loads(ITEM.render(value).body) == {"id": 1, "title": "x", "owner": None}
    body = ITEMS.render({"data": [value, value], "next": None, "total": CANARY}).body
    assert json.loads(body) == {"data": [{"id": 1, "title": "x", "owner": None}] * 2, "next": None}
    assert CANARY.encode() not in body


def test_a_mapped_object_that_gets_a_column_tells_no_more(tmp_path: Any) -> None:
    """A loaded row with an attribute set on it afterwards, inside a session."""
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Row(id=1, title="x", password_hash=CANARY))
        session.flush()
        row = session.get(Row, 1)
        assert row is not None
        row.note = CANARY  # type: ignore[attr-defined]  # as code that decorates rows does
        assert json.loads(ITEM.render(row).body) == {"id": 1, "title": "x", "owner": None}
    engine.dispose()


def test_a_nested_subclass_tells_no_more() -> None:
    """A field's model decides, not the object that is in it."""

    class Admin(Owner):
        email: str

    nested = {"id": 1, "title": "x", "owner": Admin(name="a", email=CANARY)}
    assert json.loads(ITEM.render(nested).body)["owner"] == {"name": "a"}


def test_a_response_says_what_it_is() -> None:
    """Its type without a charset, no sniffing, no storing; the caller adds headers and may let it be stored."""
    plain = ITEM.render({"id": 1, "title": "x"})
    own = {"content-type": "application/json", "x-content-type-options": "nosniff", "cache-control": "no-store"}
    assert (plain.status, plain.headers) == (200, own)
    told = ITEM.render(
        {"id": 1, "title": "x"}, status=201, headers={"Location": "/items/1", "Cache-Control": "private, max-age=60"}
    )
    assert (told.status, told.headers) == (201, own | {"location": "/items/1", "cache-control": "private, max-age=60"})


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/html"},
        {"content-type": "application/json; charset=utf-8"},
        {"X-Content-Type-Options": "sniff"},
        {"Location": f"/\r\nSet-Cookie: {CANARY}"},
        {"Location": f"/\0{CANARY}"},
        {"Location": "/é"},
        {"Lo cation": "/"},
        {"": "x"},
        {"X:": "x"},
    ],
)
def test_headers_that_are_none_are_refused(headers: dict[str, str]) -> None:
    """Another type, a second line, a character that is not ASCII: the value is not repeated."""
    with pytest.raises(UsageError) as caught:
        ITEM.render({"id": 1, "title": "x"}, headers=headers)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("status", [100, 204, 205, 304, 600, 0])
def test_a_status_without_a_body_has_no_model(status: int) -> None:
    """It would be read as the beginning of the next response."""
    with pytest.raises(UsageError, match="no body"):
        ITEM.render({"id": 1, "title": "x"}, status=status)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"id": "1", "title": CANARY}, "/id must be a whole number"),
        ({"id": 1, "title": CANARY.encode()}, "/title must be text"),
        ({"id": 1, "title": SecretStr(CANARY)}, "/title must be text"),
        ({"id": 1, "title": 7, "owner": CANARY}, "/title must be text; /owner must be an object"),
        ({"id": 1}, "/title is required"),
        ({"id": 1, "title": "x", "owner": {"name": None}}, "/owner/name must be text"),
        (CANARY, "/ must be an object"),
        (None, "/ must be an object"),
        ([], "/ must be an object"),
    ],
)
def test_what_does_not_fit_is_named_and_not_repeated(value: object, place: str) -> None:
    """Nothing is converted on its way out, and no error holds the value, in its text or behind it."""
    with pytest.raises(UsageError) as caught:
        ITEM.render(value)
    assert place in str(caught.value)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_what_an_attribute_says_when_it_fails_is_not_told() -> None:
    """A row that was detached, a property that breaks: which field it is, and no word of the exception."""

    class Broken:
        id = 1

        @property
        def title(self) -> str:
            raise ValueError(CANARY)

    with pytest.raises(UsageError, match="/title cannot be read") as caught:
        ITEM.render(Broken())
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_keys_of_a_dictionary_are_not_told() -> None:
    """They may be what somebody sent; and of many problems the first ten are told."""
    with pytest.raises(UsageError) as caught:
        Responses(Data[dict[str, Item]]).render({"data": {f"{CANARY}{n}": {"id": n} for n in range(30)}})
    assert str(caught.value).endswith("/data/*/title is required; …")
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_refused_or_null(value: float) -> None:
    """JSON has no word for them: an error, unless the field chose ``null``."""
    with pytest.raises(UsageError, match="/data must be a finite number"):
        NUMBER.render({"data": value})
    with pytest.raises(UsageError, match="/data"):
        Responses(Data[JsonValue]).render({"data": [value]})
    with pytest.raises(UsageError):
        Responses(list[float]).render([value])
    assert Responses(Data[FiniteOrNull]).render({"data": value}).body == b'{"data":null}'
    assert Responses(Data[FiniteOrNull]).render({"data": 1.5}).body == b'{"data":1.5}'


LONE = "a\ud83d\0<b>\udc00é😀"


def test_lone_surrogates_are_replaced() -> None:
    """UTF-8 has no place for them; NUL has an escape; everything else is as it was, wherever it stands."""
    mended, row = "a\ufffd\0<b>\ufffdé😀", Plain(1, LONE, "")
    assert json.loads(TEXT.render({"data": LONE}).body) == {"data": mended}
    assert json.loads(ITEM.render(row).body)["title"] == mended
    whole_page = {"data": [row, {"id": 2, "title": "x", "owner": {"name": LONE}}], "next": LONE}
    told = json.loads(ITEMS.render(whole_page).body)
    assert [told["data"][0]["title"], told["data"][1]["owner"]["name"], told["next"]] == [mended] * 3
    assert json.loads(Responses(list[str]).render([LONE]).body) == [mended]
    assert json.loads(Responses(Data[JsonValue]).render({"data": {LONE: [LONE]}}).body) == {"data": {mended: [mended]}}
    assert json.loads(ITEM.render(Item.model_construct(id=1, title=LONE)).body)["title"] == mended


class Node(Output):
    """A tree."""

    name: str = ""
    below: list[Node] = Field(default_factory=list)


def test_what_has_no_end_is_refused() -> None:
    """A value that holds itself, and one of thousands of levels; a moderate one passes."""
    circle: dict[str, Any] = {"below": []}
    circle["below"].append(circle)
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"below": [deep]}
    endless: list[Any] = []
    endless.append(endless)
    nodes, anything = Responses(Node), Responses(Data[JsonValue])
    for model, value in ((nodes, circle), (nodes, deep), (anything, {"data": endless}), (anything, {"data": deep})):
        with pytest.raises(UsageError, match="deep"):
            model.render(value)
    tree: dict[str, Any] = {}
    for _ in range(30):
        tree = {"below": [tree]}
    assert nodes.render(tree).body.count(b"below") == 31


def test_rendering_is_linear() -> None:
    """Twice the rows take twice as long, also where each has to be mended."""

    def render(count: int) -> object:
        return ITEMS.render({"data": [{"id": 1, "title": "a\ud800"}] * count})

    assert growth(render, 400) < 3


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_what_json_can_say_leaves_as_it_is(value: Any) -> None:
    """It reads back as it was, in UTF-8."""
    assert json.loads(Responses(Data[JsonValue]).render({"data": value}).body) == {"data": value}


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        JSON | st.binary() | st.just(math.nan) | st.text(st.characters(), max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_whatever_is_rendered_it_leaves_or_is_refused(value: Any) -> None:
    """No other exception, and what leaves is JSON in UTF-8."""
    for model in (ITEM, ITEMS, TEXT, NUMBER):
        for whole_value in (value, {"data": value}, {"id": 1, "title": value}):
            try:
                json.loads(model.render(whole_value).body)
            except UsageError:
                continue


def _of_secret_str() -> object:
    class Account(Output):
        pin: Annotated[SecretStr, Disclosed("no")]

    return Account


def _of_secret_bytes() -> object:
    class Account(Output):
        codes: list[SecretBytes]

    return Account


def _of_generic_secret() -> object:
    class Account(Output):
        number: Secret[int] | None

    return Account


def _of_name() -> object:
    class Account(Output):
        password_hash: str

    return Account


def _of_alias() -> object:
    class Account(Output):
        value: str = Field(serialization_alias="apiKey")

    return Account


def _of_computed_name() -> object:
    class Account(Output):
        id: int

        @computed_field
        def token(self) -> str:
            return "x"

    return Account


def _of_bytes() -> object:
    class Account(Output):
        digest: dict[str, bytes]

    return Account


def _of_anything() -> object:
    class Account(Output):
        data: Any

    return Account


def _of_object() -> object:
    class Account(Output):
        data: list[object]

    return Account


def _of_bare_list() -> object:
    class Account(Output):
        data: list  # type: ignore[type-arg]  # which is what is refused

    return Account


def _of_other_model() -> object:
    class Account(Output):
        data: Foreign

    return Account


def _of_extra() -> object:
    class Account(Output):
        model_config = ConfigDict(extra="allow")
        id: int

    return Account


def _of_lax() -> object:
    class Account(Output):
        model_config = ConfigDict(strict=False)
        name: str

    return Account


def _of_instances() -> object:
    class Account(Output):
        model_config = ConfigDict(revalidate_instances="never")
        id: int

    return Account


def _of_nan() -> object:
    class Account(Output):
        model_config = ConfigDict(ser_json_inf_nan="constants")
        id: int

    return Account


def _of_serializer() -> object:
    class Account(Output):
        id: int

        @whole
        def all_of_it(self) -> dict[str, object]:
            return vars(self)

    return Account


def _of_computed_anything() -> object:
    class Account(Output):
        id: int

        @computed_field
        def data(self) -> Any:
            return self

    return Account


def _of_open_envelope() -> object:
    return Data[Any]


REFUSED = {
    _of_secret_str: "Account.pin holds a secret",
    _of_secret_bytes: "Account.codes holds a secret",
    _of_generic_secret: "Account.number holds a secret",
    _of_name: "Account.password_hash is named like a secret",
    _of_alias: "Account.value is named like a secret",
    _of_computed_name: "Account.token is named like a secret",
    _of_bytes: "Account.digest is bytes",
    _of_anything: "Account.data may be anything",
    _of_object: "Account.data may be anything",
    _of_bare_list: "Account.data may be anything",
    _of_other_model: "Foreign is no Output",
    _of_extra: "Account sets extra=",
    _of_lax: "Account sets strict=",
    _of_instances: "Account sets revalidate_instances=",
    _of_nan: "Account sets ser_json_inf_nan=",
    _of_serializer: "Account has a model_serializer",
    _of_open_envelope: r"Data\[Any\].data may be anything",
    _of_computed_anything: "Account.data may be anything",
}


@pytest.mark.parametrize(("declare", "told"), REFUSED.items(), ids=[one.__name__ for one in REFUSED])
def test_what_must_not_leave_cannot_be_declared(declare: Callable[[], object], told: str) -> None:
    """The class itself is refused: the application does not start."""
    with pytest.raises(ConfigurationError, match=told):
        declare()


@pytest.mark.parametrize("model", [SecretStr, bytes, list[bytes], dict[str, Any], Foreign, object, Page, Data])
def test_what_must_not_leave_is_no_response(model: Any) -> None:
    """Nor without a class of one's own, nor with a type parameter that nobody filled."""
    with pytest.raises(ConfigurationError):
        Responses(model)


def test_a_secret_leaves_with_a_reason() -> None:
    """A code that is shown once has to leave: the model says why."""

    class Enrolment(Output):
        secret: Annotated[str, Disclosed("shown once")]

    assert Responses(Enrolment).render({"secret": "x"}).body == b'{"secret":"x"}'
    with pytest.raises(ConfigurationError, match="reason"):
        Disclosed(" ")


def test_names_on_both_sides() -> None:
    """A field reads under one name and writes under another; one that is excluded is read alone."""

    class Medium(Output):
        type: str = Field(validation_alias="mime")
        created: datetime = Field(serialization_alias="createdAt")
        ready: bool = Field(exclude=True)

        @computed_field
        def link(self) -> str | None:
            """Where it is."""
            return "/x" if self.ready else None

    row = {"mime": "image/png", "created": datetime(2026, 1, 1, tzinfo=UTC), "ready": True}
    told = {"type": "image/png", "createdAt": "2026-01-01T00:00:00Z", "link": "/x"}
    assert json.loads(Responses(Medium).render(row).body) == told
    assert json.loads(Responses(Medium).render(Medium.model_validate(row)).body) == told


def test_a_computed_field_is_held_to_its_type() -> None:
    """What it gives is looked at when it is written."""

    class Odd(Output):
        id: int

        @computed_field
        def data(self) -> str:
            """Not what it says."""
            return CANARY.encode()  # type: ignore[return-value]  # as a careless property does

    with pytest.raises(UsageError) as caught:
        Responses(Odd).render({"id": 1})
    assert CANARY not in "".join(traceback.format_exception(caught.value))
