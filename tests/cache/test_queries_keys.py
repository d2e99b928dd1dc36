"""The keys of query results: two questions have one key only if the server would be asked the same."""

from __future__ import annotations

import enum
import itertools
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    Column,
    Enum,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Uuid,
    bindparam,
    create_engine,
    func,
    literal,
    literal_column,
    select,
    text,
    type_coerce,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from postrmagic_core.cache.selects import Asked, Selects
from postrmagic_core.errors import UsageError

ENGINE = create_engine("sqlite://")
t = Table("t", MetaData(), Column("a", Integer), Column("b", String(9)), Column("c", Integer))
looking = Selects(ENGINE)


def identity(statement: Any, parameters: Any = None, tables: Any = ()) -> bytes:
    """What a key is made of."""
    return looking.look(statement, parameters, tables).identity


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.dates(),
    st.datetimes(),
    st.timedeltas(),
)
# Texts that would fall together if they were only put in a row.
texts = st.sampled_from(["", "a", "ab", "b", ",", "'", "a','b", "\0", "%s", "?", ":p", "None", "1"])


def same(one: Any, two: Any) -> bool:
    """Equal and of one type: 1, 1.0 and True differ, as do 0.0 and -0.0."""
    return type(one) is type(two) and repr(one) == repr(two)


@given(values, values)
def test_two_values_have_one_key_only_if_they_are_the_same(one: Any, two: Any) -> None:
    """By type and by value."""
    statement = text("SELECT a FROM t WHERE a = :p")
    assert (identity(statement, {"p": one}) == identity(statement, {"p": two})) == same(one, two)


@given(st.lists(texts, max_size=4), st.lists(texts, max_size=4))
def test_lists_of_values_never_run_together(one: list[str], two: list[str]) -> None:
    """However they are split: ["ab"] is not ["a", "b"]."""
    query = select(t.c.a)
    assert (identity(query.where(t.c.b.in_(one))) == identity(query.where(t.c.b.in_(two)))) == (one == two)


@given(st.tuples(texts, texts), st.tuples(texts, texts))
def test_parameters_never_change_places(one: tuple[str, str], two: tuple[str, str]) -> None:
    """Nor does a value become part of the text, or of its neighbour."""
    statement = text("SELECT a FROM t WHERE b > :p AND b < :q")
    bound = [identity(statement, {"p": p, "q": q}) for p, q in (one, two)]
    core = [identity(select(t.c.a).where(t.c.b > p, t.c.b < q)) for p, q in (one, two)]
    assert (bound[0] == bound[1]) == (core[0] == core[1]) == (one == two)


class Scaled(TypeDecorator[int]):
    """An integer that is another one in the database."""

    impl = Integer
    cache_ok = True

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        """To the database."""
        return value * self.factor

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        """And back."""
        return value // self.factor


class Careless(TypeDecorator[int]):
    """A type that does not say what it depends on."""

    impl = Integer
    cache_ok = False


class Colour(enum.Enum):
    """One enumeration."""

    RED = "red"


raw: Any = literal_column("a")
DIFFERENT = [
    select(t.c.a),
    select(t.c.c),
    select(t.c.a, t.c.c),
    select(t.c.c, t.c.a),
    select(t.c.a.label("x")),
    select(t.c.a).distinct(),
    select(t.c.a).limit(1),
    select(t.c.a).limit(2),
    select(t.c.a).offset(1),
    select(t.c.a).order_by(t.c.a),
    select(t.c.a).order_by(t.c.a.desc()),
    select(t.c.a).where(t.c.a == 1),
    select(t.c.a).where(t.c.a == 2),
    select(t.c.a).where(t.c.a != 1),
    select(t.c.a).where(t.c.c == 1),
    select(t.c.a).where(t.c.a.is_(None)),
    select(t.c.a).where(t.c.a.in_([])),
    select(t.c.a).where(t.c.a.in_([1, 2])),
    select(t.c.a).where(t.c.a.in_([2, 1])),
    select(t.c.a).where(t.c.a.between(1, 2)),
    select(t.c.a).where(type_coerce(t.c.a, Scaled(10)) == 1),
    select(t.c.a).where(type_coerce(t.c.a, Scaled(100)) == 1),
    select(func.sum(t.c.a)),
    select(func.max(t.c.a)),
    # One text to the server, and answers that are read differently.
    *(
        select(type_coerce(raw, each).label("a"))
        for each in (
            Integer(),
            String(),
            Float(),
            Numeric(10, 2),
            Numeric(10, 3),
            Numeric(10, 2, asdecimal=False),
            JSON(),
            LargeBinary(),
            Uuid(),
            Uuid(as_uuid=False),
            Scaled(10),
            Scaled(100),
            Enum(Colour),
            Enum("RED", "BLUE"),
        )
    ),
]


def test_no_two_of_these_questions_share_a_key() -> None:
    """Each asks something else, or reads the answer otherwise."""
    keys = [identity(statement) for statement in DIFFERENT]
    pairs = itertools.combinations(zip(DIFFERENT, keys, strict=True), 2)
    assert [(str(one), str(two)) for (one, first), (two, second) in pairs if first == second] == []


def test_one_question_has_one_key_however_it_is_put() -> None:
    """Looked at again, or by another process; with its value in the statement or beside it."""
    ways = [
        (select(t.c.a).where(t.c.a == 7), None),
        (select(t.c.a).where(t.c.a == bindparam("x")), {"x": 7}),
        (select(t.c.a).where(t.c.a == bindparam("y", 7)), None),
        (select(t.c.a).where(t.c.a == literal(7)), None),
    ]
    again = Selects(ENGINE)
    for statement, given_values in ways:
        first = looking.look(statement, given_values, None)
        assert again.look(statement, given_values, None) == first
        assert looking.look(statement, given_values, None) == first


def test_an_enumeration_of_texts_is_the_text_that_is_sent() -> None:
    """A str by subclass is what a driver sends of it."""

    class Kind(enum.StrEnum):
        """Kinds by name."""

        RED = "red"

    query = text("SELECT a FROM t WHERE b = :b")
    assert identity(query, {"b": Kind.RED}) == identity(query, {"b": "red"})


def test_a_type_that_says_not_to_cache_it_is_refused() -> None:
    """Its values may be read in ways that no key could tell."""
    with pytest.raises(UsageError, match=r"Careless.*cache_ok"):
        identity(select(type_coerce(t.c.a, Careless())))


def test_many_statements_do_not_fill_the_memory() -> None:
    """What was compiled is kept, up to a bound."""
    few = Selects(ENGINE)
    for count in range(1100):
        few.look(select(t.c.a.label(f"x{count}")), None, None)
    assert len(few._known) <= 1024


class Base(DeclarativeBase):
    """Tables made by the ORM."""


tagging = Table(
    "tagging",
    Base.metadata,
    Column("media_id", Integer, ForeignKey("media.id")),
    Column("tag_id", ForeignKey("tags.id")),
)


class Tag(Base):
    """What media are tagged with."""

    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)


class Media(Base):
    """Tagged through a secondary table."""

    __tablename__ = "media"
    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[Decimal]
    kind: Mapped[str]
    tags: Mapped[list[Tag]] = relationship(secondary=tagging)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "media"}  # noqa: RUF012 - SQLAlchemy's way


class Film(Media):
    """A medium with a table of its own beside that of the media."""

    __tablename__ = "films"
    id: Mapped[int] = mapped_column(ForeignKey("media.id"), primary_key=True)
    __mapper_args__ = {"polymorphic_identity": "film"}  # noqa: RUF012 - as above


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        (select(Media), {"media"}),
        (select(Media.id), {"media"}),
        (select(Film.size), {"media", "films"}),
        (select(Media.id).join(Media.tags), {"media", "tagging", "tags"}),
        (select(Media.id).where(Media.tags.any(Tag.id == 1)), {"media", "tagging", "tags"}),
        (select(select(Media.id).join(Media.tags).subquery()), {"media", "tagging", "tags"}),
        (select(func.count()).select_from(Film), {"media", "films"}),
    ],
    ids=lambda value: str(value) if not isinstance(value, set) else " ".join(sorted(value)),
)
def test_the_tables_that_the_orm_adds_are_read_too(query: Any, tables: set[str]) -> None:
    """Secondary tables of relationships and tables of base classes appear only when the statement is compiled."""
    asked: Asked = looking.look(query, None, None)
    assert asked.tables == tables
