"""Fields are compared and depend on each other, and every problem is told at once, whatever else is wrong."""

from __future__ import annotations

import copy
import datetime
import json
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, AliasPath, BaseModel, Field, TypeAdapter, ValidationError, model_validator

from postrmagic_core.errors import ConfigurationError, ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import Input, Validator, invalid
from postrmagic_core.validation.between_fields import UNSEEN, FieldRule, Gate, ModelRule, Siblings, blank
from postrmagic_core.validation.database_rules import Exists
from postrmagic_core.validation.groups import In
from postrmagic_core.validation.messages import ENGLISH
from postrmagic_core.validation.rules import PlainText
from postrmagic_core.validation.together import (
    AtLeastOneOf,
    AtMostOneOf,
    Compared,
    DifferentFrom,
    ExactlyOneOf,
    Forbidden,
    ForbiddenIf,
    ForbiddenWith,
    Required,
    RequiredIf,
    RequiredUnless,
    RequiredWith,
    RequiredWithout,
    SameAs,
    When,
)

CANARY = "hunter2-CANARY"
T = TypeVar("T")


class Password(Input):
    """A password twice, and the one before."""

    old: str | None = None
    new: Annotated[str, DifferentFrom("old")]
    again: Annotated[str | None, SameAs("new")] = None


class Trip(Input):
    """Two days in order, and numbers of every kind of order."""

    starts: Annotated[datetime.date | None, Compared("<", "ends")] = None
    ends: datetime.date | None = None
    least: Annotated[Decimal | None, Compared("<=", "most")] = None
    most: Decimal | None = None
    above: Annotated[int | None, Compared(">", "below")] = None
    below: int | None = None
    high: Annotated[int | None, Compared(">=", "low")] = None
    low: int | None = None
    opens: Annotated[datetime.datetime | None, Compared("<", "closes")] = None
    closes: datetime.datetime | None = None


class Order(Input):
    """Fields that one answer asks for."""

    kind: Literal["private", "firm", "state"] = "private"
    firm: Annotated[str | None, RequiredIf("kind", "firm", "state")] = None
    name: Annotated[str | None, RequiredUnless("kind", "firm", "state")] = None
    birthday: Annotated[datetime.date | None, ForbiddenIf("kind", "firm", "state")] = None


class Address(Input):
    """Fields that come together, instead of each other, or not together."""

    street: str | None = None
    town: str | None = None
    code: Annotated[str | None, RequiredWith("street", "town")] = None
    box: Annotated[list[int] | None, ForbiddenWith("street")] = None
    phone: Annotated[str | None, RequiredWithout("street", "town")] = None


class Login(
    Input, together=[ExactlyOneOf("code", "recovery"), AtMostOneOf("code", "key"), AtLeastOneOf("user", "key")]
):
    """One way in."""

    user: str | None = None
    code: str | None = None
    recovery: str | None = None
    key: str | None = None


DAY, NEXT = datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)
NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)

CASES: list[tuple[type[Input], dict[str, Any], list[tuple[str, str]]]] = [
    (Password, {"new": "a", "again": "a"}, []),
    (Password, {"new": "a", "again": "b"}, [("/again", "together.same")]),
    (Password, {"new": "a"}, [("/again", "together.same")]),
    (Password, {"new": "a", "again": None}, [("/again", "together.same")]),
    (Password, {"old": "a", "new": "a", "again": "a"}, [("/new", "together.different")]),
    (Password, {"old": "", "new": "", "again": ""}, []),
    (Trip, {}, []),
    (Trip, {"starts": DAY, "ends": NEXT}, []),
    (Trip, {"starts": DAY}, []),
    (Trip, {"ends": DAY}, []),
    (Trip, {"starts": DAY, "ends": DAY}, [("/starts", "together.less")]),
    (Trip, {"least": Decimal(1), "most": Decimal(1)}, []),
    (Trip, {"least": Decimal(2), "most": Decimal(1)}, [("/least", "together.at_most")]),
    (Trip, {"above": 2, "below": 1}, []),
    (Trip, {"above": 1, "below": 1}, [("/above", "together.greater")]),
    (Trip, {"high": 0, "low": 0}, []),
    (Trip, {"high": 0, "low": 1}, [("/high", "together.at_least")]),
    (Trip, {"opens": NOON, "closes": NOON.replace(tzinfo=None)}, [("/opens", "together.incomparable")]),
    (Order, {"name": "A"}, []),
    (Order, {}, [("/name", "together.required")]),
    (Order, {"kind": "firm", "firm": "A"}, []),
    (Order, {"kind": "firm"}, [("/firm", "together.required")]),
    (Order, {"kind": "state", "firm": " \n"}, [("/firm", "together.required")]),
    (Order, {"kind": "state", "firm": "A", "birthday": DAY}, [("/birthday", "together.forbidden")]),
    (Order, {"name": "A", "birthday": DAY}, []),
    (Address, {"street": "a", "town": "b", "code": "c"}, []),
    (Address, {"town": "b", "phone": "1"}, [("/code", "together.required")]),
    (Address, {"street": "", "town": "", "phone": "1"}, []),
    (Address, {"street": "a", "town": "b", "code": "c", "box": [1]}, [("/box", "together.forbidden")]),
    (Address, {"street": "a", "town": "b", "code": "c", "box": []}, []),
    (
        Address,
        {"box": [1], "street": "a", "code": "c"},
        [("/box", "together.forbidden"), ("/phone", "together.required")],
    ),
    (Login, {"user": "u", "code": "1"}, []),
    (Login, {"user": "u", "code": "1", "recovery": ""}, []),
    (Login, {"user": "u"}, [("", "together.exactly_one")]),
    (Login, {"user": "u", "code": "1", "recovery": "2"}, [("", "together.exactly_one")]),
    (Login, {"code": "1", "key": "k"}, [("", "together.at_most_one")]),
    (Login, {"code": "1"}, [("", "together.at_least_one")]),
]


@pytest.mark.parametrize(("model", "data", "problems"), CASES)
@pytest.mark.parametrize("way", ["data", "json", "nested"])
def test_each_rule_says_what_it_should(
    model: type[Input], data: dict[str, Any], problems: list[tuple[str, str]], way: str, complaints: Any
) -> None:
    """From Python data, from JSON, and inside a list of another model, where pointers lead to the item."""
    prefix = ""
    if way == "data":
        call: Callable[[], object] = lambda: Validator(model).validate(data)  # noqa: E731 - one of three calls
    elif way == "json":
        call = lambda: Validator(model).validate_json(json.dumps(data, default=str).encode())  # noqa: E731 - likewise
    else:
        call, prefix = lambda: Validator[Any](list[model]).validate([data]), "/0"  # type: ignore[valid-type]  # a parameter
    if problems:
        assert complaints(call) == [(prefix + pointer, code) for pointer, code in problems]
    else:
        assert call()


def test_the_words_name_the_other_field() -> None:
    """The name is the developer's; there are English words for every code."""
    with pytest.raises(ValidationFailed) as caught:
        Validator(Order).validate({"kind": "firm", "birthday": DAY})
    assert [error["message"] for error in caught.value.errors] == [
        "is required because of kind",
        "must be left out because of kind",
    ]
    with pytest.raises(ValidationFailed) as caught:
        Validator(Login).validate({"user": "x"})
    assert caught.value.errors[0]["message"] == "must have exactly one of code, recovery"


class Form(Input, together=[AtLeastOneOf("mail", "phone")]):
    """A model of which many fields can be wrong at once."""

    title: str = Field(max_length=3)
    starts: Annotated[datetime.date, Compared("<", "ends")]
    ends: datetime.date
    kind: Literal["a", "b"] = "a"
    extra: Annotated[int | None, RequiredIf("kind", "b")] = None
    password: str
    again: Annotated[str, SameAs("password")]
    mail: str | None = None
    phone: Annotated[int | None, Field(ge=1)] = None


def test_every_problem_is_told_at_once(complaints: Any) -> None:
    """Pydantic's own validators of a model would wait for the title to be right."""
    data = {"title": "long", "starts": "2026-01-02", "ends": "2026-01-01", "kind": "b", "password": "x", "again": "y"}
    assert complaints(lambda: Validator(Form).validate_json(json.dumps(data).encode())) == [
        ("/title", "string_too_long"),
        ("/starts", "together.less"),
        ("/extra", "together.required"),
        ("/again", "together.same"),
        ("", "together.at_least_one"),
    ]


def test_a_field_that_failed_is_there_but_unknown(complaints: Any) -> None:
    """Nothing is compared with a value that did not pass, and nothing is asked for in its place."""
    data = {"title": 1, "starts": DAY, "ends": "x", "kind": "c", "again": "y", "phone": 0}
    assert complaints(lambda: Validator(Form).validate(data)) == [
        ("/title", "string_type"),
        ("/ends", "date_type"),
        ("/kind", "literal_error"),
        ("/password", "missing"),
        ("/phone", "greater_than_equal"),
    ]


@pytest.mark.parametrize("data", [3, None, [], "x"])
def test_what_is_no_object_is_only_that(data: object, complaints: Any) -> None:
    """No rule speaks about fields where there are none."""
    assert complaints(lambda: Validator(Form).validate(data)) == [("", "model_type")]


def test_a_validator_of_the_model_still_has_its_say(complaints: Any) -> None:
    """Before the rules it may refuse alone; after them it sees a model that keeps all of them."""

    class Both(Input):
        one: int
        two: Annotated[int, Compared(">", "one")]

        @model_validator(mode="before")
        @classmethod
        def early(cls, data: Any) -> Any:
            if data.get("one") == 0:
                raise invalid("early.no", "no")
            return data

        @model_validator(mode="after")
        def late(self) -> Both:
            if self.two == 5:
                raise invalid("late.no", "no")
            return self

    both = Validator(Both)
    assert complaints(lambda: both.validate({"one": 0, "two": 0})) == [("", "early.no")]
    assert complaints(lambda: both.validate({"one": 9, "two": 5})) == [("/two", "together.greater")]
    assert complaints(lambda: both.validate({"one": 1, "two": 5})) == [("", "late.no")]
    assert both.validate({"one": 1, "two": 2}).two == 2


def test_no_rule_runs_twice() -> None:
    """Neither when all is well, nor when something is wrong."""
    runs: list[str] = []

    def seen(value: str) -> str:
        runs.append(value)
        return value

    class Counting(FieldRule):
        __slots__ = ()

        def problem(self, name: str, siblings: Siblings) -> None:
            runs.append("rule")

    class Inner(Input):
        a: Annotated[str, AfterValidator(seen), Counting()]
        b: int = 0

    class Outer(Input):
        inner: list[Inner]

    outer = Validator(Outer)
    outer.validate({"inner": [{"a": "x"}]})
    assert runs == ["x", "rule"]
    with pytest.raises(ValidationFailed):
        outer.validate_json(b'{"inner": [{"a": "y", "b": "no"}]}')
    assert runs == ["x", "rule", "y", "rule"]


class Node(Input, together=[AtMostOneOf("left", "children")]):
    """A model that holds itself, with every kind of value that only JSON's strict mode reads."""

    kind: Literal["node"] = "node"
    id: uuid.UUID | None = None
    left: Annotated[int | None, RequiredWithout("children")] = None
    children: tuple[Node | Leaf, ...] | None = None


class Leaf(Input):
    """The other branch of a union that is told apart by a field."""

    kind: Literal["leaf"]
    day: Annotated[datetime.date | None, RequiredIf("kind", "leaf")] = None


class Tree(Input):
    """A tagged union of models with rules."""

    root: Annotated[Node | Leaf, Field(discriminator="kind")]


def test_models_inside_models_keep_their_rules(complaints: Any) -> None:
    """Recursive, in tuples and unions, read from strict JSON; each pointer leads to its own level."""
    trees = Validator(Tree)
    good = {"root": {"kind": "node", "children": [{"kind": "node", "left": 1}, {"kind": "leaf", "day": "2026-01-01"}]}}
    tree = trees.validate_json(json.dumps(good).encode())
    assert isinstance(tree.root, Node)
    assert tree.root.children is not None
    assert tree.root.children[1] == Leaf(kind="leaf", day=DAY)
    bad = {"root": {"kind": "node", "id": "x", "children": [{"kind": "node"}], "left": 1}}
    assert ("/root/children/0/left", "together.required") in complaints(
        lambda: trees.validate_json(json.dumps(bad).encode())
    )
    assert ("/root", "together.at_most_one") in complaints(lambda: trees.validate({"root": {
        "kind": "node", "left": 1, "children": ({"kind": "leaf", "day": DAY},)}}))  # fmt: skip


def test_the_rules_leave_no_trace() -> None:
    """Not in the value, what is written out, copied, or described; a union with such a model is written out quietly."""
    tree = Tree(root=Node(children=(Leaf(kind="leaf", day=DAY),)))
    written = json.loads(tree.model_dump_json())
    assert written["root"]["children"] == [{"kind": "leaf", "day": "2026-01-01"}]
    assert UNSEEN not in repr((tree, tree.model_dump(), written, Tree.model_json_schema(), vars(tree.root)))
    assert UNSEEN not in repr(Tree.model_json_schema(mode="serialization"))
    assert tree.root.model_fields_set == {"children"}
    assert copy.deepcopy(tree) == tree
    assert TypeAdapter(Leaf | Node).dump_python(tree.root) == tree.root.model_dump()


def test_the_name_of_the_unseen_field_is_nobodys(complaints: Any) -> None:
    """Whoever sends it sends an unknown field."""
    sent: list[Any] = [None, {}, "x"]
    for value in sent:
        data = {"new": "a", "again": "a", UNSEEN: value}
        assert complaints(lambda data=data: Validator(Password).validate(data)) == [(f"/{UNSEEN}", "extra_forbidden")]


def test_pydantic_itself_keeps_the_rules() -> None:
    """Whoever builds the model without a Validator meets them too."""
    with pytest.raises(ValidationError, match="together"):
        Password(new="a", again="b")
    with pytest.raises(ValidationError, match="together"):
        Password.model_validate_json('{"new": "a", "again": "b"}')


def test_a_subclass_and_a_generic_model_keep_the_rules(complaints: Any) -> None:
    """Those of the fields and those of the class; a subclass may add its own."""

    class Wider(Login, together=[AtMostOneOf("user", "guest")]):
        guest: str | None = None

    class Range(Input, Generic[T]):
        low: T
        high: Annotated[T, Compared(">=", "low")]

    assert complaints(lambda: Validator(Wider).validate({"user": "u", "guest": "g"})) == [
        ("", "together.exactly_one"),
        ("", "together.at_most_one"),
    ]
    assert complaints(lambda: Validator(Range[int]).validate({"low": 2, "high": 1})) == [("/high", "together.at_least")]


def test_a_model_that_waits_for_another_is_joined_later(complaints: Any) -> None:
    """A forward reference is resolved first; the rules are not lost with it."""

    class Early(Input):
        last: Last | None = None
        a: Annotated[int | None, RequiredWith("b")] = None
        b: int | None = None

    class Last(Input):
        inner: Early | None = None
        c: Annotated[int | None, RequiredWithout("inner")] = None

    Early.model_rebuild(_types_namespace={"Last": Last, "Early": Early})
    Last.model_rebuild(_types_namespace={"Last": Last, "Early": Early})
    assert complaints(lambda: Validator(Last).validate({"inner": {"b": 1, "last": {}}})) == [
        ("/inner/last/c", "together.required"),
        ("/inner/a", "together.required"),
    ]


def test_a_pointer_has_the_name_that_is_sent(complaints: Any) -> None:
    """An alias is what the client knows."""

    class Aliased(Input):
        kind: str = Field(alias="Kind")
        firm: Annotated[str | None, RequiredIf("kind", "firm")] = Field(default=None, alias="Firm/Name")

    aliased = Validator(Aliased)
    assert complaints(lambda: aliased.validate({"Kind": "firm"})) == [("/Firm~1Name", "together.required")]
    assert complaints(lambda: aliased.validate({"Kind": "firm", "Firm/Name": ""})) == [
        ("/Firm~1Name", "together.required")
    ]


def test_what_a_form_left_blank_is_absent(complaints: Any) -> None:
    """Browsers send every input: an empty text, whatever the field's type."""
    orders = Validator(Order)
    blank_form = [("kind", "firm"), ("firm", ""), ("name", ""), ("birthday", "")]
    assert complaints(lambda: orders.validate_form(blank_form)) == [("/firm", "together.required")]
    orders.validate_form([("kind", "private"), ("firm", ""), ("name", "A"), ("birthday", "2026-01-01")])


@pytest.mark.parametrize("value", [None, "", " \t\u2003", [], (), {}, set(), b""])
def test_blank_is_absent(value: object) -> None:
    """Nothing, nothing but white space, and collections of nothing."""
    assert blank(value)


@pytest.mark.parametrize("value", [0, False, 0.0, " x", [None], {"": None}, DAY, b"\0"])
def test_whatever_says_something_is_there(value: object) -> None:
    """Zero and false are answers."""
    assert not blank(value)


def test_true_is_not_one(complaints: Any) -> None:
    """A rule about the number 1 says nothing about an answer that is true."""

    class Mixed(Input):
        sort: int | bool
        note: Annotated[str | None, RequiredIf("sort", 1)] = None

    Validator(Mixed).validate({"sort": True})
    assert complaints(lambda: Validator(Mixed).validate({"sort": 1})) == [("/note", "together.required")]


EUROPE = {"DE", "FR"}


class Invoice(Input):
    """Rules under a condition of one's own."""

    country: str | None = None
    total: int = 0
    vat: Annotated[str | None, When("country", test=lambda country: country in EUROPE, then=Required())] = None
    note: Annotated[
        str | None,
        When("country", "total", test=lambda country, total: country is None and total > 9, then=Forbidden()),
        When("country", test=lambda country: country == "DE", then=PlainText(max=5)),
    ] = None
    codes: Annotated[list[int], When("total", test=bool, then=Field(max_length=1))] = Field(default_factory=list)


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        ({}, []),
        ({"country": "US"}, []),
        ({"country": "DE"}, [("/vat", "together.required")]),
        ({"country": "DE", "vat": "1"}, []),
        ({"country": "DE", "vat": "1", "note": "too long"}, [("/note", "string_too_long")]),
        ({"country": "US", "note": "as long as it is"}, []),
        ({"country": " ", "total": 10, "note": "x"}, [("/note", "together.forbidden")]),
        ({"codes": [1, 2]}, []),
        ({"total": 1, "codes": [1, 2]}, [("/codes", "too_long")]),
        (
            {"country": 1, "total": 10, "note": "x", "codes": [1, 2]},
            [("/country", "string_type"), ("/codes", "too_long")],
        ),
    ],
)
def test_a_rule_under_a_condition(data: dict[str, Any], problems: list[tuple[str, str]], complaints: Any) -> None:
    """It counts when the test of the other fields' values holds, which runs when all of them passed."""
    if problems:
        assert complaints(lambda: Validator(Invoice).validate(data)) == problems
    else:
        Validator(Invoice).validate(data)


def test_a_rule_under_a_condition_may_change_the_value() -> None:
    """What it gives is the value from then on, as with any rule; without the condition the text stays."""
    assert Validator(Invoice).validate({"country": "DE", "vat": "1", "note": " a "}).note == "a"
    assert Validator(Invoice).validate_json(b'{"country": "US", "note": " a "}').note == " a "


def test_no_value_reaches_an_error() -> None:
    """Neither its own nor another field's, in any rule."""
    for model, data in (
        (Password, {"old": CANARY, "new": CANARY, "again": f"{CANARY}2"}),
        (Login, {"user": CANARY, "code": CANARY, "recovery": CANARY, "key": CANARY}),
        (Address, {"street": CANARY, "town": 1, "box": [1]}),
        (Invoice, {"country": "DE", "note": CANARY, "vat": ""}),
    ):
        with pytest.raises(ValidationFailed) as caught:
            Validator(model).validate(data)
        assert CANARY not in f"{caught.value!r} {caught.value.errors} {caught.value.__cause__!r}"
        with pytest.raises(ValidationError) as bare:
            model.model_validate(data)
        assert CANARY not in str(bare.value)


def define(annotation: Any, default: Any = None, **more: Any) -> Callable[[], object]:
    """Makes the class of a model whose field ``one`` has this annotation."""
    return lambda: type(
        "Wrong",
        (Input,),
        {
            "__annotations__": {"one": annotation, "two": "int | None", "three": "int", "list": "int"},
            **({"one": default} if default is not ... else {}),
            "two": None,
            "three": 3,
            "__module__": __name__,
            **more,
        },
    )


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (define(Annotated[int | None, SameAs("four")]), "names four: no field; the fields are one, two"),
        (define(Annotated[int | None, RequiredWith("two", "four")]), "names four"),
        (define(Annotated[int | None, SameAs("one")]), "its own field"),
        (define(Annotated[int | None, RequiredWith("two", "two")]), "one field twice"),
        (define(Annotated[int | None, RequiredWith("three")]), "give three the default None"),
        (define(Annotated[int, RequiredWith("two")], ...), "give it the default None"),
        (define(Annotated[int, RequiredIf("two", 1)], 5), "give it the default None"),
        (define(Annotated[int | None, When("four", test=bool, then=Required())]), "names four"),
        (define(Annotated[int, When("two", test=bool, then=Required())], 1), "give it the default None"),
        (define(Annotated[list[Annotated[int, SameAs("two")]] | None, Field()]), "around the field's whole type"),
        (define(cast(Any, Annotated[int, SameAs("two")]) | None), "around the field's whole type"),
        (define(Annotated[int | None, SameAs("two")], model_config={"validate_assignment": True}), "validate it anew"),
        (define(Annotated[int | None, SameAs("two"), Field(validation_alias=AliasPath("a", 0))]), "plain alias"),
        (lambda: TypeAdapter(Annotated[int, SameAs("two")]), "subclass of validation.Input"),
        (lambda: type("Bare", (BaseModel,), {"__annotations__": {"a": Annotated[int, SameAs("b")], "b": int},
                                             "__module__": __name__}), "subclass of validation.Input"),
        (lambda: _together(AtLeastOneOf("a", "x")), "Wrong: AtLeastOneOf names x"),
        (lambda: _together(AtLeastOneOf("a", "n")), "give n the default None"),
        (lambda: _together(SameAs("a")), "rules on the whole model"),
        (lambda: AtLeastOneOf("a"), "at least two"),
        (lambda: RequiredIf("a"), "values that count"),
        (lambda: RequiredWith(), "at least one other"),
        (lambda: Compared("=", "a"), "expected one of"),  # type: ignore[arg-type]  # what is tested
        (lambda: When(test=bool, then=Required()), "name the fields"),
        (lambda: When("a", test=bool, then=In("x", Required())), "put In around When"),
        (lambda: When("a", test=bool, then=Exists(None)), "database rules"),  # type: ignore[arg-type]  # never asked
    ],
)  # fmt: skip
def test_a_rule_that_cannot_work_stops_the_class(make: Callable[[], object], told: str) -> None:
    """A wrong name, a field that is always there, a place where nothing would run it: an error at import."""
    with pytest.raises(ConfigurationError, match=told):
        make()


def _together(rule: Any) -> object:
    class Wrong(Input, together=[rule]):
        a: int | None = None
        b: int | None = None
        n: int = 1

    return Wrong


def test_the_base_classes_ask_for_their_part() -> None:
    """A rule of one's own says what it does; what it leaves out is no rule that always holds."""
    with pytest.raises(NotImplementedError):
        FieldRule().problem("a", Siblings({}))
    with pytest.raises(NotImplementedError):
        ModelRule().problem(Siblings({}))
    with pytest.raises(NotImplementedError):
        Gate().applies(())
    assert (ModelRule().fields, FieldRule().fields, FieldRule().asks_presence_of) == ((), (), ())


@pytest.mark.parametrize("code", [code for code in ENGLISH if code.startswith("together.")])
def test_every_code_is_met_by_a_case(code: str) -> None:
    """The cases above leave none out."""
    assert code in {found for _, _, problems in CASES for _, found in problems}


VALUES = st.sampled_from([None, "", " ", "x"])


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("street", "town", "code", "phone"), VALUES)))
def test_presence_means_what_its_words_say(data: dict[str, str | None]) -> None:
    """Against the sentences of the rules, written out."""
    there = {name for name, value in data.items() if value is not None and value.strip()}
    expected = set()
    if there & {"street", "town"} and "code" not in there:
        expected.add("code")
    if not {"street", "town"} <= there and "phone" not in there:
        expected.add("phone")
    try:
        Validator(Address).validate(data)
        told = set()
    except ValidationFailed as failed:
        told = {error["pointer"][1:] for error in failed.errors}
    assert told == expected


def test_many_items_take_time_in_proportion() -> None:
    """Right and wrong items alike, each with an error of a field and of a rule."""
    rows = Validator[Any](list[Form])
    item = {"title": "long", "starts": DAY, "ends": DAY, "kind": "b", "password": "x", "again": "y"}

    def refuse(size: int) -> None:
        with pytest.raises(ValidationFailed):
            rows.validate([item] * size)

    assert growth(refuse, 200) < 3
