"""Two inputs checked before either is stored: one wins, the other gets the error that the check would have given."""

# ruff: noqa: F811, T201 - fixtures are imported, and named again by who takes them; a child process speaks by printing
from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field
from sqlalchemy import Column, Index, Integer, MetaData, String, Table, func, insert, select

from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.errors import UniqueViolation, UsageError, ValidationFailed
from postrmagic_core.testing import spawn
from postrmagic_core.validation import Input, Validator
from postrmagic_core.validation.database_rules import Unique
from tests.databases import database_url, open_database  # noqa: F401 - pytest looks for fixtures here
from tests.validation.database_rules_tables import (  # noqa: F401 - pytest looks for fixtures here
    ON_SQLITE,
    Change,
    Complaints,
    SignUp,
    database,
    users,
)


class Members(Input):
    """Several new users at once."""

    members: list[SignUp] = Field(default_factory=list)


def _store(tx: Unit, who: SignUp) -> None:
    tx.execute(insert(users).values(tenant_id=who.tenant_id, name=who.name, email=who.email))


def _sign_up(database: DatabaseManager, data: dict[str, Any], checked: Any) -> list[dict[str, str]]:
    """The errors of one sign-up: ``checked`` is called between the check and the insert."""
    validator = Validator(SignUp, database=database)
    try:
        value = validator.validate(data)
        checked()
        with validator.refusing(value):
            database.transact(_store, value)
    except ValidationFailed as error:
        return error.errors
    return []


TAKEN = {"code": "unique.taken", "message": "is taken already"}


@pytest.mark.parametrize(
    ("one", "other", "field"),
    [
        ({"name": "new"}, {"name": "new"}, "/name"),
        ({"name": "new", "email": "n@example.org"}, {"name": "another", "email": "n@example.org"}, "/email"),
    ],
)
def test_of_two_threads_one_wins(
    database: DatabaseManager, one: dict[str, Any], other: dict[str, Any], field: str
) -> None:
    """Both pass the check; the other one is told what the check would have told."""
    both = threading.Barrier(2, timeout=30)
    answers: list[list[dict[str, str]]] = []
    threads = [
        threading.Thread(target=lambda data=data: answers.append(_sign_up(database, data, both.wait)))
        for data in (one, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers, key=len) == [[], [{"pointer": field, **TAKEN}]]


def sign_up_elsewhere(url: str, name: str) -> None:
    """In a process of its own: check, and store."""
    with DatabaseManager(url) as database:
        print(_sign_up(database, {"name": name}, lambda: print("checked")))


def test_of_two_processes_one_wins(database: DatabaseManager, database_url: str) -> None:
    """The other process has stored it between the check and the insert of this one."""
    here: list[list[dict[str, str]]] = []

    def meanwhile() -> None:
        with spawn(sign_up_elsewhere, database_url, "new") as child:
            assert [child.line(), child.line()] == ["checked", "[]"]

    here.append(_sign_up(database, {"name": "new"}, meanwhile))
    assert here == [[{"pointer": "/name", **TAKEN}]]


def test_of_two_tasks_one_wins(database: DatabaseManager) -> None:
    """The async face gives the same answer."""
    validator = Validator(SignUp, database=database).aio

    async def sign_up(both: asyncio.Barrier) -> list[dict[str, str]]:
        try:
            value = await validator.validate_json(b'{"name": "new"}')
            await both.wait()
            async with validator.refusing(value):
                await database.aio.transact(_store, value)
        except ValidationFailed as error:
            return error.errors
        return []

    async def race() -> list[list[dict[str, str]]]:
        both = asyncio.Barrier(2)
        return [*await asyncio.gather(sign_up(both), sign_up(both))]

    assert sorted(asyncio.run(race()), key=len) == [[], [{"pointer": "/name", **TAKEN}]]


@pytest.mark.parametrize("inside", [True, False])
def test_the_block_may_stand_around_the_unit_or_in_it(database: DatabaseManager, inside: bool) -> None:
    """A violation is told where it leaves the block; the unit is undone either way."""
    validator = Validator(SignUp, database=database)
    value = validator.validate({"name": "new"})
    with database.write() as tx:
        _store(tx, value)

    def store() -> None:
        if inside:
            with database.write() as tx, validator.refusing(value):
                _store(tx, value)
        else:
            with validator.refusing(value), database.write() as tx:
                _store(tx, value)

    with pytest.raises(ValidationFailed) as caught:
        store()
    assert caught.value.errors == [{"pointer": "/name", **TAKEN}]
    assert "new" not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__suppress_context__


def test_of_several_items_the_taken_one_is_named(database: DatabaseManager, complaints: Complaints) -> None:
    """It is looked up once the unit is undone; inside the unit the list is named, as its own rows cannot be told."""
    validator = Validator(Members, database=database)
    value = validator.validate({"members": [{"name": "x"}, {"name": "y"}, {"name": "z"}]})
    with database.write() as tx:
        tx.execute(insert(users).values(name="y"))

    def store(tx: Unit) -> None:
        for member in value.members:
            _store(tx, member)

    def outside() -> None:
        with validator.refusing(value), database.write() as tx:
            store(tx)

    def inside() -> None:
        with database.write() as tx, validator.refusing(value):
            store(tx)

    assert complaints(outside) == [("/members/1/name", "unique.taken")]
    assert complaints(inside) == [("/members", "unique.taken")]


def test_alike_items_that_the_check_let_pass_name_their_list(database: DatabaseManager, complaints: Complaints) -> None:
    """What only the database takes for equal is free in the check, and refused by the constraint."""
    validator = Validator(Members, database=database)
    value = validator.validate({"members": [{"name": "new"}, {"name": "NEW"}]})

    def store() -> None:
        with validator.refusing(value), database.write() as tx:
            for member in value.members:
                _store(tx, member)

    if database.dialect == "sqlite":
        store()
    else:
        assert complaints(store) == [("/members", "unique.taken")]


def test_a_violation_of_no_rule_passes_as_it_is(database: DatabaseManager) -> None:
    """Of a column without a rule in this model, and of any column where the validator has no rules."""
    change = Validator(Change, database=database)
    value = change.validate({"id": 2, "email": "b@example.org"})
    with pytest.raises(UniqueViolation), change.refusing(value), database.write() as tx:
        tx.execute(insert(users).values(id=3, name="ann"))
    with pytest.raises(UniqueViolation), Validator(dict[str, int]).refusing({}), database.write() as tx:
        tx.execute(insert(users).values(id=3, name="ann"))
    with pytest.raises(UniqueViolation), change.refusing(change.validate({"id": 2})), database.write() as tx:
        tx.execute(insert(users).values(id=4, name="new", email="ann@example.org"))


def test_other_errors_pass_as_they_are(database: DatabaseManager) -> None:
    """The block speaks of unique constraints only."""
    validator = Validator(SignUp, database=database)
    with pytest.raises(ZeroDivisionError), validator.refusing(validator.validate({"name": "new"})):
        raise ZeroDivisionError


def test_constraints_are_told_apart_by_their_names(database: DatabaseManager) -> None:
    """A named one of another table, over columns of the same names, is not the rule's."""
    validator = Validator(SignUp, database=database)
    value = validator.validate({"name": "new"})
    columns = ("tenant_id", "name")
    with pytest.raises(UniqueViolation), validator.refusing(value):
        raise UniqueViolation("other", constraint="uq_other_name", columns=columns)
    with pytest.raises(ValidationFailed), validator.refusing(value):
        raise UniqueViolation("same", constraint="uq_stored_users_name", columns=columns)
    with pytest.raises(ValidationFailed), validator.refusing(value):
        raise UniqueViolation("the columns are not known", constraint="uq_stored_users_name")
    with pytest.raises(UniqueViolation), validator.refusing(value):
        raise UniqueViolation("of another table", table="stored_guests", columns=columns)
    with pytest.raises(ValidationFailed), validator.refusing(value):
        raise UniqueViolation("of this one, as some servers spell it", table="STORED_USERS", columns=columns)


def test_constraints_without_a_name_are_told_apart_by_their_tables(
    database: DatabaseManager, complaints: Complaints
) -> None:
    """Columns of one name in two tables: only the rule of the table that refused the row speaks."""
    guests = Table(
        "stored_guests",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("email", String(120), unique=True),
        mysql_charset="utf8mb4",
    )

    class Visit(Input):
        host: Annotated[str, Unique(users.c.email)]
        guest: Annotated[str, Unique(guests.c.email)]

    with database.write() as tx:
        guests.metadata.create_all(tx.connection)
    validator = Validator(Visit, database=database)
    value = validator.validate({"host": "host@example.org", "guest": "guest@example.org"})
    with database.write() as tx:
        tx.execute(insert(guests).values(email=value.guest))

    def store() -> None:
        with validator.refusing(value), database.write() as tx:
            tx.execute(insert(users).values(name="host", email=value.host))
            tx.execute(insert(guests).values(email=value.guest))

    assert complaints(store) == [("/guest", "unique.taken")]


def test_an_index_over_an_expression_is_known_by_its_name(tmp_path: Path, complaints: Complaints) -> None:
    """SQLite names such an index and no column; MariaDB has none."""
    database = DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}").open()
    people = Table("stored_folded", MetaData(), Column("id", Integer, primary_key=True), Column("nick", String(20)))
    Index("ux_stored_folded_nick", func.lower(people.c.nick), unique=True)

    class Person(Input):
        nick: Annotated[str, Unique(people.c.nick)]

    with database.write() as tx:
        people.metadata.create_all(tx.connection)
        tx.execute(insert(people).values(nick="ann"))
    validator = Validator(Person, database=database)
    value = validator.validate({"nick": "ANN"})

    def store() -> None:
        with validator.refusing(value), database.write() as tx:
            tx.execute(insert(people).values(nick=value.nick))

    assert complaints(store) == [("/nick", "unique.taken")]
    database.close()


def test_a_primary_key_is_a_unique_constraint(database: DatabaseManager, complaints: Complaints) -> None:
    """Its name is PRIMARY, whatever was declared."""

    class Numbered(Input):
        id: Annotated[int, Unique(users.c.id)]

    validator = Validator(Numbered, database=database)
    value = validator.validate({"id": 9})
    with database.write() as tx:
        tx.execute(insert(users).values(id=9, name="nine"))

    def store() -> None:
        with validator.refusing(value), database.write() as tx:
            tx.execute(insert(users).values(id=9, name="other"))

    assert complaints(store) == [("/id", "unique.taken")]


@ON_SQLITE
def test_the_refusal_speaks_the_callers_language(database: DatabaseManager) -> None:
    """As the check does."""
    validator = Validator(SignUp, database=database, catalogues={"xx": {"unique.taken": "xx"}})
    value = validator.validate({"name": "new"})
    with pytest.raises(ValidationFailed) as caught, validator.refusing(value, locale="xx"):
        raise UniqueViolation("taken", constraint="uq_stored_users_name", columns=("tenant_id", "name"))
    assert [error["message"] for error in caught.value.errors] == ["xx"]


def test_the_row_that_won_is_the_only_one(database: DatabaseManager) -> None:
    """Nothing of the refused unit stays."""
    validator = Validator(SignUp, database=database)
    value = validator.validate({"name": "new"})
    for _ in range(2):
        with contextlib.suppress(ValidationFailed), validator.refusing(value):
            database.transact(_store, value)
    with database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(users).where(users.c.name == "new")) == 1


@ON_SQLITE
def test_a_value_of_another_type_is_the_callers_mistake(database: DatabaseManager) -> None:
    """The block needs what validate returned."""
    validator: Validator[Any] = Validator(SignUp, database=database)
    with pytest.raises(UsageError, match="SignUp"), validator.refusing({"name": "new"}):
        raise UniqueViolation("taken", columns=("tenant_id", "name"))
