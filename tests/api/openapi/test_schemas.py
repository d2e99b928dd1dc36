"""Components: named as a reader would name them, one schema to a name, and an error where there is no schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, create_model

from postrmagic_core.api.envelope import DataWith, PageWith
from postrmagic_core.api.interface import Operation
from postrmagic_core.api.openapi.schemas import Components, without_null
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.validation import Input
from postrmagic_core.validation.images import ImageUpload, ReceivedImage
from postrmagic_core.validation.responses import Data, Output, Page
from tests.api.openapi.sketch import SHOW, Medium, described

T = TypeVar("T")
SEND = replace(SHOW, name="send", method="POST")


class Tag(Output):
    """A tag."""

    name: str


class Total(Output):
    """How many."""

    total: int


class Pair(Output, Generic[T]):
    """Two of a kind."""

    first: T
    second: T


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (Data[Tag], "TagAnswer"),
        (Page[Tag], "TagPage"),
        (Data[list[Tag]], "TagListAnswer"),
        (Data[dict[str, Tag]], "TagMapAnswer"),
        (Data[Tag | None], "TagAnswer"),
        (Data[Tag | Total], "TagTotalAnswer"),
        (Data[str], "StrAnswer"),
        (DataWith[Tag, Total], "TagTotalAnswer"),
        (PageWith[Tag, Total], "TagTotalPage"),
        (Data[Pair[Tag]], "TagPairAnswer"),
        (Tag, "Tag"),
    ],
)
def test_names_are_those_a_reader_would_give(model: Any, name: str) -> None:
    """Data[Medium] is a MediumAnswer, Page[Medium] a MediumPage."""
    made = described(replace(SHOW, answers={200: model}))
    assert OpenAPIV31SpecValidator(made).is_valid()
    schema = made["paths"]["/things"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": f"#/components/schemas/{name}"}
    assert "title" not in made["components"]["schemas"][name]


def test_a_title_of_ones_own_stays() -> None:
    """It is no part of the name."""

    class Named(Output):
        """With a title."""

        model_config = ConfigDict(title="A thing with a title")
        id: Annotated[int, Field(title="Number")]

    made = described(replace(SHOW, answers={200: Data[Named]}))
    named = next(one for one in made["components"]["schemas"].values() if one.get("title"))
    assert named["title"] == "A thing with a title"
    assert named["properties"]["id"]["title"] == "Number"


def test_a_schema_may_hold_itself() -> None:
    """It refers to its name."""
    made = described(replace(SHOW, answers={200: Data[Medium]}))
    part = made["components"]["schemas"]["Part"]
    assert part["properties"]["parts"]["items"] == {"$ref": "#/components/schemas/Part"}


def test_the_choice_of_a_union_is_told_by_the_new_names() -> None:
    """The mapping of the discriminator too."""

    class Cat(Output):
        """A cat."""

        kind: Literal["cat"]

    class Dog(Output):
        """A dog."""

        kind: Literal["dog"]
        puppies: Pair[Tag]

    class Owner(Output):
        """Who has one."""

        pet: Annotated[Cat | Dog, Field(discriminator="kind")]
        pair: Pair[Tag]

    schemas = described(replace(SHOW, answers={200: Data[Owner]}))["components"]["schemas"]
    assert schemas["Owner"]["properties"]["pet"]["discriminator"]["mapping"] == {
        "cat": "#/components/schemas/Cat",
        "dog": "#/components/schemas/Dog",
    }
    assert schemas["Dog"]["properties"]["puppies"] == {"$ref": "#/components/schemas/TagPair"}


def other_tag() -> type[Output]:
    """Another model of the same name."""

    class Tag(Output):
        """Another one."""

        text: str

    return Tag


def test_two_models_of_one_name_are_refused() -> None:
    """In two operations, or in one: which of them a client would get nobody could say."""
    other: Any = other_tag()
    with pytest.raises(ConfigurationError, match=r"again, answer 200: two different schemas would be called Tag"):
        described(
            replace(SHOW, answers={200: Data[Tag]}),
            replace(SHOW, name="again", path="/again", answers={200: Data[list[other]]}),
        )
    with pytest.raises(ConfigurationError, match="show, answer 200: two models are called Tag"):
        described(replace(SHOW, answers={200: Data[dict[str, Tag | other]]}))


def test_a_model_with_the_name_of_a_filled_one_is_refused() -> None:
    """TagPair and Pair[Tag] would be one component."""

    class TagPair(Output):
        """Not that pair."""

        left: str

    class Both(Output):
        """Both of them."""

        one: TagPair
        other: Pair[Tag]

    with pytest.raises(ConfigurationError, match="two models would be called TagPair"):
        described(replace(SHOW, answers={200: Data[Both]}))


def test_a_model_cannot_take_the_place_of_the_problem() -> None:
    """Problem is the document of RFC 9457."""

    class Problem(Output):
        """An application's."""

        words: str

    with pytest.raises(ConfigurationError, match="would be called Problem"):
        described(replace(SHOW, answers={200: Data[Problem]}))


class Odd:
    """A class that pydantic knows nothing of."""


def check(value: object) -> object:
    """Takes anything."""
    return value


Unsaid = Annotated[Odd, PlainValidator(check, json_schema_input_type=Odd)]


class Inner(Input):
    """Holds what cannot be said."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    fine: int = 1
    odd: Unsaid


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        (lambda: replace(SEND, body=Inner), "send, body: JSON Schema cannot say Inner.odd"),
        (lambda: replace(SEND, body=holding(Inner)), "send, body: JSON Schema cannot say Inner.odd"),
        (lambda: replace(SEND, body=holding(list[Inner])), "send, body: JSON Schema cannot say Inner.odd"),
        (lambda: replace(SHOW, query=Inner), "show, query: JSON Schema cannot say Inner.odd"),
        (lambda: replace(SHOW, query=Unserializable), "show, query: JSON Schema cannot say Unserializable.when"),
        (lambda: replace(SHOW, path="/things/{id}", values={"id": Odd}), "show, path value id: JSON Schema cannot say"),
    ],
)  # fmt: skip
def test_what_json_schema_cannot_say_is_refused_by_its_field(changed: Callable[[], Operation], place: str) -> None:
    """With the operation and the field, however deep."""
    with pytest.raises(ConfigurationError, match=place):
        described(changed())


class Unserializable(Input):
    """A default that JSON does not know."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    when: Annotated[object, WithJsonSchema({"type": "string"})] = Field(default=Odd())


def holding(kind: Any) -> type[BaseModel]:
    """A model around it."""
    return create_model("Outer", __base__=Input, before=(int, ...), inner=(kind, ...))


def test_a_query_of_objects_is_refused() -> None:
    """No two servers read such a query alike."""

    class Range(Input):
        """From and to."""

        low: int

    class Search(Input):
        """A range."""

        size: Range | None = None

    class Grid(Input):
        """Lists of lists."""

        rows: list[list[int]]

    with pytest.raises(ConfigurationError, match="show: the query's size is no plain value"):
        described(replace(SHOW, query=Search))
    with pytest.raises(ConfigurationError, match="show: the query's rows is no plain value"):
        described(replace(SHOW, query=Grid))


def test_two_queries_may_have_one_name() -> None:
    """They are no components: only their fields are."""

    def query(kind: Any) -> type[BaseModel]:
        return create_model("Query", __base__=Input, value=(kind, ...))

    made = described(replace(SHOW, query=query(int)), replace(SHOW, name="other", path="/other", query=query(str)))
    assert "Query" not in made["components"].get("schemas", {})
    assert made["paths"]["/other"]["get"]["parameters"][0]["schema"] == {"type": "string"}


def test_the_types_of_a_query_are_shared() -> None:
    """An enumeration in a query and in an answer is one component."""

    class Colour(Enum):
        """Of what."""

        RED = "red"

    class Search(Input):
        """By colour."""

        colour: Colour

    class Thing(Output):
        """With a colour."""

        colour: Colour

    made = described(replace(SHOW, query=Search, answers={200: Data[Thing]}))
    assert list(made["components"]["schemas"]) == ["Colour", "Problem", "Thing", "ThingAnswer"]


def test_files_are_found_behind_aliases_and_unions() -> None:
    """The form's own names count."""

    class Form(Input):
        """A file that may be left out."""

        picture: Annotated[ReceivedImage, ImageUpload(formats=("JPEG",))] | None = Field(default=None, alias="pic")

    made = described(replace(SEND, body=Form, body_type="multipart/form-data"))
    content = made["paths"]["/things"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert content["encoding"] == {"pic": {"contentType": "image/jpeg"}}
    schema = made["components"]["schemas"]["Form"]["properties"]["pic"]
    assert schema == {"type": "string", "contentMediaType": "image/jpeg"}


def test_numbers_keep_their_limits() -> None:
    """Decimals as text or number, as they are read."""

    class Price(Input):
        """A price."""

        amount: Annotated[Decimal, Field(ge=0)]
        share: Annotated[float, Field(gt=0, lt=1)]

    schema = described(replace(SEND, body=Price))["components"]["schemas"]["Price"]["properties"]
    assert schema["share"] == {"exclusiveMaximum": 1, "exclusiveMinimum": 0, "type": "number"}
    assert {"minimum": 0.0, "type": "number"} in schema["amount"]["anyOf"]


def test_only_null_is_taken_from_a_choice() -> None:
    """What is no null stays as it is."""
    plain = {"type": "string", "default": None}
    assert without_null(plain) is plain
    two = {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}], "default": None, "description": "Two."}
    assert without_null(two) == {"anyOf": [{"type": "string"}, {"type": "integer"}], "description": "Two."}
    assert without_null({"anyOf": [{"type": "string"}, {"type": "null"}], "default": "a"}) == {
        "type": "string",
        "default": "a",
    }


def test_a_name_is_given_once() -> None:
    """The same schema may be put again, another one may not."""
    components = Components()
    assert components.put("Thing", {"type": "object"}, "here") == {"$ref": "#/components/schemas/Thing"}
    components.put("Thing", {"type": "object"}, "there")
    with pytest.raises(ConfigurationError, match="there: two different schemas would be called Thing"):
        components.put("Thing", {"type": "string"}, "there")
