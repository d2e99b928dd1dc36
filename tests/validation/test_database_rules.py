"""Database rules: the database says what is taken and what is missing, in one query for each column."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field
from sqlalchemy import Column, MetaData, String, Table, insert

from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.types import Key
from postrmagic_core.errors import BackendError, ConfigurationError, ValidationFailed
from postrmagic_core.testing import assert_queries
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import Input, Validator
from postrmagic_core.validation.database_rules import Exists, Unique
from postrmagic_core.validation.groups import In
from postrmagic_core.validation.rules import PlainText
from tests.databases import database_url, open_database  # noqa: F401 - pytest looks for fixtures here
from tests.validation.database_rules_tables import (  # noqa: F401 - pytest looks for fixtures here
    ON_SQLITE,
    Change,
    Complaints,
    Poster,
    SignUp,
    database,
    tag_table,
    users,
)

# ruff: noqa: F811 - fixtures are imported, and named again by who takes them


class Labelled(Input):
    """Labels that must be there, as texts."""

    labels: list[Annotated[str, Exists(tag_table.c.label)]]


class Members(Input):
    """Several new users at once."""

    members: list[SignUp] = Field(default_factory=list)


def test_what_is_taken_is_told_beside_its_field(database: DatabaseManager, complaints: Complaints) -> None:
    """All fields that the database refuses come in one answer, with code and words."""
    sign_up = Validator(SignUp, database=database)
    with pytest.raises(ValidationFailed) as caught:
        sign_up.validate({"name": "ann", "email": "ann@example.org"})
    assert caught.value.errors == [
        {"pointer": "/name", "code": "unique.taken", "message": "is taken already"},
        {"pointer": "/email", "code": "unique.taken", "message": "is taken already"},
    ]
    assert sign_up.validate({"name": "carl", "email": "carl@example.org"}).name == "carl"


def test_what_is_missing_is_told_by_item(database: DatabaseManager, complaints: Complaints) -> None:
    """Each item that is not there, by its place; also when it is sent as JSON or as a form."""
    posters = Validator(Poster, database=database)
    missing = [("/tags/1", "exists.missing"), ("/tags/3", "exists.missing")]
    assert complaints(lambda: posters.validate({"tags": [1, 9, 2, 9]})) == missing
    assert complaints(lambda: posters.validate_json(b'{"tags": [1, 9, 2, 9]}')) == missing
    assert complaints(lambda: posters.validate_form([("tags", each) for each in "1929"])) == missing
    assert posters.validate({"tags": [3, 1, 3]}).tags == [3, 1, 3]


@ON_SQLITE
def test_the_database_is_asked_when_all_else_is_right(database: DatabaseManager, complaints: Complaints) -> None:
    """Pydantic's problems come alone and cost no query; nor does an input without a value to ask about."""
    sign_up = Validator(SignUp, database=database)
    with assert_queries(database, exactly=0):
        assert complaints(lambda: sign_up.validate({"name": "ann", "email": 5})) == [("/email", "string_type")]
        Validator(Poster, database=database).validate({"tags": []})
        Validator(Change, database=database).validate({"id": 1, "email": None})


def test_uniqueness_is_within_its_scope(database: DatabaseManager, complaints: Complaints) -> None:
    """The columns of the scope must be equal as well: another tenant may have the name."""
    members = Validator(Members, database=database)
    both = [{"name": "ann", "tenant_id": 1}, {"name": "ann", "tenant_id": 2}]
    with assert_queries(database, exactly=1):
        assert complaints(lambda: members.validate({"members": both})) == [("/members/0/name", "unique.taken")]


def test_an_update_does_not_collide_with_itself(database: DatabaseManager, complaints: Complaints) -> None:
    """The row's own value is free for it, and taken for every other; where it has no key, for all."""
    change = Validator(Change, database=database)
    assert change.validate({"id": 1, "email": "ann@example.org"}).id == 1
    assert complaints(lambda: change.validate({"id": 2, "email": "ann@example.org"})) == [("/email", "unique.taken")]


@ON_SQLITE
def test_the_same_value_twice_in_one_input_is_taken_the_second_time(
    database: DatabaseManager, complaints: Complaints
) -> None:
    """The later ones are refused, without a query for them; a field without a value collides with nothing."""
    members = Validator(Members, database=database)
    sent = [{"name": "new"}, {"name": "new"}, {"name": "other", "email": None}, {"name": "third"}, {"name": "new"}]
    assert complaints(lambda: members.validate({"members": sent})) == [
        ("/members/1/name", "unique.taken"),
        ("/members/4/name", "unique.taken"),
    ]


def test_four_thousand_items_are_one_query_for_each_column(database: DatabaseManager) -> None:
    """However many values there are, and whether or not they are within a scope."""

    class Many(Input):
        tenant_id: int
        tags: list[Annotated[int, Exists(tag_table.c.id, scope={"tenant_id": tag_table.c.tenant_id})]]
        labels: list[Annotated[str, Exists(tag_table.c.label)]]

    with database.write() as tx:
        tx.execute(insert(tag_table), [{"id": number, "label": f"tag {number}"} for number in range(4, 4_004)])
    many = Validator(Many, database=database)
    sent = {
        "tenant_id": 1,
        "tags": [*range(4, 2_504)],
        "labels": [f"tag {number}" for number in range(2_504, 4_004)],
    }
    with assert_queries(database, exactly=2):
        many.validate(sent)
    with assert_queries(database, exactly=2), pytest.raises(ValidationFailed) as caught:
        many.validate({**sent, "tenant_id": 2})
    assert len(caught.value.errors) == 2_500


def test_more_values_than_a_statement_takes_are_asked_in_turn(
    database: DatabaseManager, monkeypatch: pytest.MonkeyPatch, complaints: Complaints
) -> None:
    """In as few queries as it takes; no value is lost between them."""
    monkeypatch.setattr("postrmagic_core.validation.database_rules.queries._VALUES", 2)
    posters = Validator(Poster, database=database)
    with assert_queries(database, exactly=3):
        found = complaints(lambda: posters.validate({"tags": [1, 2, 7, 3, 8]}))
    assert found == [("/tags/2", "exists.missing"), ("/tags/4", "exists.missing")]


def test_the_columns_own_comparison_decides(database: DatabaseManager) -> None:
    """``TAG 1`` is ``tag 1`` where the database says so, and only there: nothing that is there is told missing."""
    labels = Validator(Labelled, database=database)
    with database.read() as tx:
        alike = [each for each in ("TAG 1", "tag 1 ", "Tag 2", "täg 3") if _finds(tx, each)]
    assert bool(alike) is (database.dialect != "sqlite")
    for each in ("TAG 1", "tag 1 ", "Tag 2", "täg 3"):
        told = _told(labels, {"labels": ["tag 1", each, "tag 3"]})
        assert told == ([] if each in alike else [("/labels/1", "exists.missing")])


def test_many_spellings_are_all_found(database: DatabaseManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where they are more than one statement looks up singly, and some are missing."""
    monkeypatch.setattr("postrmagic_core.validation.database_rules.queries._SINGLY", 2)
    sent = ["tag 1", "TAG 1", "Tag 1", "TAG 2", "tag 9", "TAG 9", "tAG 3"]
    with database.read() as tx:
        missing = [(f"/labels/{at}", "exists.missing") for at, each in enumerate(sent) if not _finds(tx, each)]
    assert _told(Validator(Labelled, database=database), {"labels": sent}) == missing


def _finds(tx: Any, label: str) -> bool:
    return tx.scalar(tag_table.select().where(tag_table.c.label == label)) is not None


def _told(validator: Validator[Any], data: object) -> list[tuple[str, str]]:
    try:
        validator.validate(data)
    except ValidationFailed as error:
        return [(one["pointer"], one["code"]) for one in error.errors]
    return []


def test_an_own_key_in_another_spelling_is_the_same_row(open_database: Any) -> None:
    """Where the key is a text, the database compares it, too."""
    database = open_database()
    people = Table(
        "stored_people",
        MetaData(),
        Column("key", String(20), primary_key=True),
        Column("nick", String(20), unique=True),
        mysql_charset="utf8mb4",
    )

    class Renamed(Input):
        key: str
        nick: Annotated[str, Unique(people.c.nick, own=("key", people.c.key))]

    with database.write() as tx:
        people.metadata.create_all(tx.connection)
        tx.execute(insert(people), [{"key": "k1", "nick": "a"}, {"key": "k2", "nick": "b"}])
    renamed = Validator(Renamed, database=database)
    assert _told(renamed, {"key": "k1", "nick": "a"}) == []
    assert _told(renamed, {"key": "k2", "nick": "a"}) == [("/nick", "unique.taken")]
    same = database.dialect != "sqlite"
    assert _told(renamed, {"key": "K1", "nick": "a"}) == ([] if same else [("/nick", "unique.taken")])


@pytest.mark.parametrize("value", [10**30, -(10**30), 2**63, 2**64])
def test_a_number_no_column_holds_is_missing(database: DatabaseManager, value: int, complaints: Complaints) -> None:
    """It reaches no driver, which would fail on it."""
    posters = Validator(Poster, database=database)
    assert complaints(lambda: posters.validate({"tags": [1, value]})) == [("/tags/1", "exists.missing")]


def test_what_the_column_cannot_hold_is_neither_free_nor_there(
    database: DatabaseManager, complaints: Complaints
) -> None:
    """A type that refuses the value, half of a surrogate pair, a number for a text: told, not sent to the driver."""
    coded = Table("stored_coded", MetaData(), Column("code", Key(8), primary_key=True), Column("nick", String(20)))
    with database.write() as tx:
        coded.metadata.create_all(tx.connection)

    class Coded(Input):
        code: Annotated[Any, Unique(coded.c.code)]
        nick: Annotated[Any, Exists(coded.c.nick)]

    checked = Validator(Coded, database=database)
    for code, nick in (("x" * 9, "\ud800"), (7, 7), ("\udfff", 1.5), (b"x", float("nan"))):
        assert complaints(lambda: checked.validate({"code": code, "nick": nick})) == [  # noqa: B023 - called at once
            ("/code", "unique.unfit"),
            ("/nick", "exists.missing"),
        ]


def test_an_empty_scope_finds_no_row(database: DatabaseManager, complaints: Complaints) -> None:
    """NULL equals nothing: what must be there is not, and nothing can be taken."""

    class Loose(Input):
        tenant_id: int | None = None
        tag: Annotated[int, Exists(tag_table.c.id, scope={"tenant_id": tag_table.c.tenant_id})]
        name: Annotated[str, Unique(users.c.name, scope={"tenant_id": users.c.tenant_id})]

    loose = Validator(Loose, database=database)
    assert complaints(lambda: loose.validate({"tag": 1, "name": "ann"})) == [("/tag", "exists.missing")]


def test_the_open_unit_is_asked(database: DatabaseManager, complaints: Complaints) -> None:
    """Inside a write unit its own writes count, before they are committed."""
    sign_up = Validator(SignUp, database=database)
    with database.write() as tx:
        tx.execute(insert(users).values(id=7, name="new"))
        assert complaints(lambda: sign_up.validate({"name": "new"})) == [("/name", "unique.taken")]


@pytest.mark.parametrize("model", [SignUp, Labelled])
def test_an_absent_database_is_no_yes(database: DatabaseManager, model: type[Any]) -> None:
    """It raises a BackendError; nothing is valid because nobody could be asked."""
    checked = Validator(model, database=database)
    with database.write() as tx:
        users.drop(tx.connection)
        tag_table.drop(tx.connection)
    with pytest.raises(BackendError):
        checked.validate({"name": "x"} if model is SignUp else {"labels": ["x"]})


def test_a_model_with_database_rules_needs_a_database() -> None:
    """At construction, by the field's name, with the fix."""
    with pytest.raises(ConfigurationError, match=r"SignUp\.name has the rule Unique.*database=stack\.database"):
        Validator(SignUp)


@ON_SQLITE
def test_a_rule_of_a_group_is_asked_in_a_call_that_names_it(database: DatabaseManager, complaints: Complaints) -> None:
    """And in no other."""

    class Grouped(Input):
        name: Annotated[str, PlainText(max=80), In("create", Unique(users.c.name))]

    grouped = Validator(Grouped, database=database)
    assert grouped.validate({"name": "ann"}).name == "ann"
    assert complaints(lambda: grouped.validate({"name": "ann"}, groups={"create"})) == [("/name", "unique.taken")]


@ON_SQLITE
def test_a_rule_stands_on_either_side_of_others(database: DatabaseManager, complaints: Complaints) -> None:
    """Also left of a rule that makes a type of its own; the value asked about is the one the model holds."""

    class Cleaned(Input):
        left: Annotated[str, Unique(users.c.name), PlainText(max=80)] = "x"
        right: Annotated[str, PlainText(max=80), Unique(users.c.name)] = "y"

    cleaned = Validator(Cleaned, database=database)
    assert complaints(lambda: cleaned.validate({"left": " ann ", "right": " bob "})) == [
        ("/left", "unique.taken"),
        ("/right", "unique.taken"),
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=12) | st.sampled_from(["tag 1", "TAG 2", "tag 3 "]), max_size=8))
def test_every_text_gets_the_databases_own_answer(database: DatabaseManager, sent: list[str]) -> None:
    """Whatever is asked, together or alone: the answer is that of a query for the one value."""
    with database.read() as tx:
        missing = [(f"/labels/{at}", "exists.missing") for at, each in enumerate(sent) if not _finds(tx, each)]
    assert _told(Validator(Labelled, database=database), {"labels": sent}) == missing


@ON_SQLITE
def test_nothing_sent_is_in_the_error(database: DatabaseManager) -> None:
    """Neither a taken value nor the query is in its text, its cause or its context."""
    with pytest.raises(ValidationFailed) as caught:
        Validator(SignUp, database=database).validate({"name": "ann", "email": "ann@example.org"})
    error = caught.value
    assert "ann" not in f"{error!r} {error} {error.errors} {error.__cause__!r} {error.__context__!r}"


def test_many_items_take_time_in_proportion(database: DatabaseManager) -> None:
    """Twice the items, twice the work at most, found or missing."""
    posters = Validator(Poster, database=database)

    def check(count: int) -> None:
        with pytest.raises(ValidationFailed):
            posters.validate({"tags": [*range(count)]})

    assert growth(check, 1_000) < 3
