"""Where a database rule may stand, and where its value is in the input; what cannot be checked for sure is refused."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType

import pytest
from pydantic import AfterValidator, AliasChoices, AliasPath, ConfigDict, Field, JsonValue, RootModel
from sqlalchemy import Column, Integer, MetaData, Table, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from typing_extensions import TypeAliasType, TypedDict

from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import ConfigurationError, NestedUnit, UsageError, ValidationFailed
from postrmagic_core.testing import spawn
from postrmagic_core.validation import Input, Validator
from postrmagic_core.validation.database_rules import Exists, Unique
from tests.databases import database_url, open_database  # noqa: F401 - pytest looks for fixtures here
from tests.validation.database_rules_tables import (  # noqa: F401 - pytest looks for fixtures here
    ON_SQLITE,
    Complaints,
    Poster,
    SignUp,
    database,
    metadata,
    tag_table,
    users,
)

# ruff: noqa: F811 - fixtures are imported, and named again by who takes them

TagId = Annotated[int, Exists(tag_table.c.id)]
Alias = TypeAliasType("Alias", TagId)
Tree = TypeAliasType("Tree", "dict[str, Tree | TagId]")
Number = NewType("Number", int)
MISSING = "exists.missing"


class Base(DeclarativeBase):
    """The declarative base."""


class TagRow(Base):
    """The same table, mapped."""

    __tablename__ = "stored_tags"
    id: Mapped[int] = mapped_column("id", primary_key=True)


@pytest.fixture
def told(request: pytest.FixtureRequest, complaints: Complaints) -> Iterator[Callable[[Any, Any], Any]]:
    """What a validator of a type says about an input, on SQLite: where rules stand is the same on every database."""
    path = request.getfixturevalue("tmp_path")
    with DatabaseManager(f"sqlite:///{path / 'app.db'}") as manager:
        with manager.write() as tx:
            tag_table.create(tx.connection)
            users.create(tx.connection)
            tx.execute(tag_table.insert(), [{"id": number, "label": "x"} for number in (1, 2, 3)])
        yield lambda kind, data: complaints(lambda: Validator(kind, database=manager).validate(data))


class Node(Input):
    """A model of itself."""

    tag: TagId
    children: list[Node] = Field(default_factory=list)


class Aliased(Input):
    """Fields that have other names in the input."""

    model_config = ConfigDict(validate_by_name=True)
    tag: TagId = Field(alias="theTag")
    other: TagId = Field(default=1, validation_alias=AliasChoices("second", AliasPath("deep", "er", 0)))
    deep: Any = None


class Cat(Input):
    """One of two that have the same field."""

    kind: Literal["cat"] = "cat"
    tag: TagId


class Dog(Input):
    """The other, whose field has no rule."""

    kind: Literal["dog"] = "dog"
    tag: int


@dataclass
class Record:
    """A dataclass."""

    tag: TagId
    more: list[TagId]


class Typed(TypedDict, total=False):
    """A typed dictionary."""

    tag: TagId


class Root(RootModel[list[TagId]]):
    """A list as a model."""


class Named(NamedTuple):
    """A named tuple, which is not looked into."""

    tag: TagId


@dataclass(frozen=True)
class Holder:
    """A rule of the application around another, which does not say when it applies."""

    rule: Any


class OfMapped(Input):
    """An ORM attribute instead of a column."""

    tag: Annotated[int, Exists(TagRow.id)]


@pytest.mark.parametrize(
    ("kind", "data", "pointers"),
    [
        (TagId, 9, [""]),
        (OfMapped, {"tag": 9}, ["/tag"]),
        (list[TagId], [1, 9, 2, 8], ["/1", "/3"]),
        (list[Annotated[Number, Exists(tag_table.c.id)]], [9], ["/0"]),
        (list[Alias], [1, 9], ["/1"]),
        (Annotated[Alias, Field(gt=0)], 9, [""]),
        (Tree, {"a": {"b": 9, "c": 1}, "d": 8}, ["/a/b", "/d"]),
        (tuple[str, TagId], ("x", 9), ["/1"]),
        (tuple[TagId, ...], (1, 9), ["/1"]),
        (set[TagId], {1, 9, 8}, [""]),
        (dict[str, TagId], {"a/b": 9, "c": 1}, ["/a~1b"]),
        (dict[TagId, str], {1: "x", 9: "y"}, ["/9"]),
        (dict[str, TagId], {"\x1b[2J": 9, "k" * 65: 9}, [""]),
        (list[TagId | None], [None, 9], ["/1"]),
        (Annotated[int | None, Exists(tag_table.c.id)], 9, [""]),
        (list[TagId | str], ["x", 9], ["/1"]),
        (list[TagId | list[TagId]], [[1, 9], 9, 2], ["/0/1", "/1"]),
        (list[Cat | Dog], [{"kind": "dog", "tag": 9}, {"kind": "cat", "tag": 9}], ["/1/tag"]),
        (Annotated[Cat | Dog, Field(discriminator="kind")], {"kind": "cat", "tag": 9}, ["/tag"]),
        (Node, {"tag": 9, "children": [{"tag": 1, "children": [{"tag": 8}]}]}, ["/tag", "/children/0/children/0/tag"]),
        (Aliased, {"theTag": 9, "second": 8}, ["/theTag", "/second"]),
        (Aliased, {"tag": 9, "deep": {"er": [8]}}, ["/tag", "/deep/er/0"]),
        (Record, {"tag": 9, "more": [1, 8]}, ["/tag", "/more/1"]),
        (list[Typed], [{}, {"tag": 9}], ["/1/tag"]),
        (Root, [1, 9], ["/1"]),
        (dict[str, Root], {"a": [9]}, ["/a/0"]),
    ],
)
def test_a_rule_is_found_wherever_a_value_stands(
    told: Callable[[Any, Any], Any], kind: Any, data: object, pointers: list[str]
) -> None:
    """Nested, in collections, unions, aliases and models of themselves; the pointer leads into what was sent."""
    assert told(kind, data) == [(pointer, MISSING) for pointer in pointers]


def test_a_default_is_asked_about(told: Callable[[Any, Any], Any]) -> None:
    """It will be stored as well as what was sent; the pointer names the absent field."""

    class Defaulted(Input):
        tag: TagId = 9

    assert told(Defaulted, {}) == [("/tag", MISSING)]


def _model(annotation: Any) -> type[Input]:
    return type("Odd", (Input,), {"__annotations__": {"odd": annotation, "name": str}, "__module__": __name__})


ODD: Any = func.lower(tag_table.c.id)
_OTHER = Table("stored_other", MetaData(), Column("id", Integer))


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (Iterable[TagId], "not looked into"),
        (Named, "not looked into"),
        (TagId | Annotated[int, Field(gt=5)], "cannot be told"),
        (TagId | Any, "cannot be told"),
        (list[TagId] | list[str], "cannot be told"),
        (Annotated[list[int], Exists(tag_table.c.id)], "put it on the items"),
        (Annotated[list[int] | None, Exists(tag_table.c.id)], "put it on the items"),
        (Annotated[Cat, Exists(tag_table.c.id)], "put it on the items"),
        (Annotated[str, Exists(tag_table.c.id)], "give both one type"),
        (Annotated[int, Exists(tag_table.c.label)], "give both one type"),
        (Annotated[int | str, Exists(tag_table.c.id)], "give both one type"),
        (Annotated[int, Exists(ODD)], "needs a column"),
        (Annotated[int, Exists("id")], "needs a column"),  # type: ignore[arg-type]  # what the test is about
        (Annotated[int, Exists(tag_table.c.id, scope={"nobody": tag_table.c.tenant_id})], "no field beside it"),
        (Annotated[int, Exists(tag_table.c.id, scope={"name": _OTHER.c.id})], "one table"),
        (Annotated[int, Unique(tag_table.c.id, own=("nobody", tag_table.c.id))], "no field beside it"),
        (Annotated[int, Holder(Exists(tag_table.c.id))], "cannot stand in Holder"),
    ],
)
def test_what_cannot_be_checked_for_sure_is_refused_at_construction(annotation: Any, message: str) -> None:
    """Instead of a rule that is passed over in silence."""
    with pytest.raises(ConfigurationError, match=message):
        Validator(_model(annotation), database=DatabaseManager("sqlite:///unused.db"))


def test_a_scope_needs_a_model_around_it() -> None:
    """A value alone has no fields beside it."""
    kind: Any = Annotated[int, Exists(tag_table.c.id, scope={"tenant_id": tag_table.c.tenant_id})]
    with pytest.raises(ConfigurationError, match="no field beside it"):
        Validator(kind, database=DatabaseManager("sqlite:///unused.db"))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Annotated[list[TagId], AfterValidator(lambda items: str(items))], [1]),
        (Annotated[tuple[TagId, str], AfterValidator(lambda items: items[:1])], (1, "x")),
        (Annotated[Cat, AfterValidator(lambda cat: cat.tag)], {"tag": 1}),
        (Annotated[dict[str, TagId], AfterValidator(list)], {"a": 1}),
        (Annotated[TagId | str, AfterValidator(lambda value: [value])], 1),
    ],
)
def test_a_validator_that_makes_something_else_of_a_value_is_a_mistake(
    told: Callable[[Any, Any], Any], kind: Any, data: object
) -> None:
    """What held the rules is gone, so that they cannot be checked: an error, never a yes."""
    with pytest.raises(UsageError, match="holds database rules"):
        told(kind, data)


def test_a_type_without_rules_needs_no_database_and_no_plan() -> None:
    """Types of every shape that pydantic knows are planned without complaint."""
    shapes: list[Any] = [
        Any,
        JsonValue,
        object,
        int | str,
        Iterable[int],
        Literal["a"],
        type[int],
        dict,
        list,
        Callable[[int], str],
    ]
    for shape in shapes:
        Validator[Any](shape)


@ON_SQLITE
def test_the_async_face_has_the_same_names(database: DatabaseManager, complaints: Complaints) -> None:
    """And gives the same answers; the loop's thread asks nothing."""
    validator = Validator(SignUp, database=database)
    face = validator.aio
    names = {name for name in dir(validator) if name[0] != "_"} - {"aio"}
    assert names == {name for name in dir(face) if name[0] != "_"}
    taken = [("/name", "unique.taken")]
    assert complaints(lambda: asyncio.run(face.validate({"name": "ann"}))) == taken
    assert complaints(lambda: asyncio.run(face.validate_json(b'{"name": "ann"}'))) == taken
    assert complaints(lambda: asyncio.run(face.validate_form([("name", "ann")]))) == taken
    assert asyncio.run(face.validate({"name": "new"})).name == "new"


def test_the_async_face_asks_the_tasks_own_unit(database: DatabaseManager) -> None:
    """Inside it, its own writes count; a task that merely inherited it is refused, not answered."""
    face = Validator(SignUp, database=database).aio

    async def check() -> list[str]:
        async with database.aio.write() as tx:
            await tx.execute(users.insert().values(id=9, name="new"))
            with pytest.raises(ValidationFailed):
                await face.validate({"name": "new"})
            with pytest.raises(NestedUnit):
                await asyncio.create_task(face.validate({"name": "new"}))
        return ["done"]

    assert asyncio.run(check()) == ["done"]


@ON_SQLITE
def test_threads_share_a_validator(database: DatabaseManager) -> None:
    """Each gets the answer to its own question."""
    validator = Validator(SignUp, database=database)
    together = threading.Barrier(4, timeout=30)

    def ask(name: str) -> bool:
        together.wait()
        try:
            return validator.validate({"name": name}).name == name
        except ValidationFailed:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(ask, ["ann", "x", "bob", "y"])] == [False, True, False, True]


def test_a_forked_child_goes_on_with_it(tmp_path: Path) -> None:
    """Made before the fork, used in both."""
    with spawn(ask_in_both, f"sqlite:///{tmp_path}/app.db") as child:
        assert [child.line(), child.line()] == ["ValidationFailed"] * 2
        assert child.wait() == 0


def ask_in_both(url: str) -> None:
    """Runs in a child process, which forks another."""
    with DatabaseManager(url) as manager:
        with manager.write() as tx:
            metadata.create_all(tx.connection)
        validator = Validator(Poster, database=manager)
        validator.validate({"tags": []})
        child = os.fork()
        ended = os.waitpid(child, 0)[1] if child else 0
        try:
            validator.validate({"tags": [7]})
        except ValidationFailed as error:
            print(type(error).__name__, flush=True)  # noqa: T201 - the test reads it
        os._exit(ended)
