"""Asks the database about the values that rules are about: one query for each column, however many values there are.

The database decides what is equal. Values that come back as they were asked are told apart here; a column that takes
``Ann`` for ``ann`` is asked again about those that did not, each by itself, many in one statement.
"""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import Column, Dialect, Executable, TypeDecorator, and_, exists, func, literal, select, tuple_
from sqlalchemy.types import TypeEngine

from ...database.unit import Unit
from .nodes import Found, Placed
from .rules import Unique

Key: TypeAlias = tuple[Any, ...]
"""A value, and those of the fields that the rule's scope names."""

_VALUES = 10_000
_SINGLY = 250
# Equal in the database if and only if they are here.
_EXACT = ({int}, {UUID})
_BIGGEST = {"sqlite": 2**63}


class Refused(NamedTuple):
    """What a rule does not accept, and as which error."""

    found: Found
    code: str


class _Question(NamedTuple):
    """Whether a row has ``key``, other than the row of the key ``own``."""

    key: Key
    own: Any


class _Asked(NamedTuple):
    """The columns of one query."""

    column: Column[Any]
    scope: tuple[Column[Any], ...]
    own: Column[Any] | None

    def all(self, keys: Sequence[Key]) -> Executable:
        """The keys that rows have, each once, with the first and the last of their own keys."""
        columns = (self.column, *self.scope)
        owners = () if self.own is None else (func.min(self.own), func.max(self.own))
        wanted = tuple_(*columns).in_(keys) if self.scope else self.column.in_([value for (value,) in keys])
        return select(*columns, *owners).where(wanted).group_by(*columns)

    def singly(self, questions: Sequence[_Question]) -> Executable:
        """One row that answers each question by a column of its own."""
        return select(*(self._one(question).label(f"q{number}") for number, question in enumerate(questions)))

    def _one(self, question: _Question) -> Any:
        columns = (self.column, *self.scope)
        wanted = [column == value for column, value in zip(columns, question.key, strict=True)]
        if self.own is not None and question.own is not None:
            wanted.append(self.own != question.own)
        return exists(select(literal(1)).select_from(self.column.table).where(and_(*wanted)))


def refused(tx: Unit, found: Iterable[Found]) -> list[Refused]:
    """What the rules do not accept, in the order it was found."""
    alike: dict[_Asked, list[tuple[int, Found]]] = defaultdict(list)
    for number, one in enumerate(found):
        alike[_asked(one.placed)].append((number, one))
    answers = {number: answer for asked, ones in alike.items() for number, answer in _answers(tx, asked, ones)}
    return [answers[number] for number in sorted(answers)]


def _asked(placed: Placed) -> _Asked:
    scope = tuple(column for _, column in placed.scope)
    return _Asked(placed.column, scope, None if placed.own is None else placed.own[1])


def _answers(tx: Unit, asked: _Asked, ones: Iterable[tuple[int, Found]]) -> Iterator[tuple[int, Refused]]:
    fits = _fit(asked, tx.connection.dialect)
    seen: set[Key] = set()
    questions: dict[int, tuple[Found, _Question]] = {}
    for number, one in ones:
        unique = isinstance(one.placed.rule, Unique)
        key, own = _key(one)
        if None in key:  # no row: NULL equals nothing
            if not unique:
                yield number, Refused(one, one.placed.rule.code)
        elif not fits(key):
            yield number, Refused(one, "unique.unfit" if unique else one.placed.rule.code)
        elif unique and key in seen:
            yield number, Refused(one, one.placed.rule.code)
        else:
            questions[number] = one, _Question(key, own)
            if unique:
                seen.add(key)
    there = _there(tx, asked, dict.fromkeys(question for _, question in questions.values()))
    for number, (one, question) in questions.items():
        if (question in there) is isinstance(one.placed.rule, Unique):
            yield number, Refused(one, one.placed.rule.code)


def _key(one: Found) -> tuple[Key, Any]:
    placed = one.placed
    key = (one.value, *(placed.read(one.within, name) for name, _ in placed.scope))
    return key, None if placed.own is None else placed.read(one.within, placed.own[0])


def _there(tx: Unit, asked: _Asked, questions: Iterable[_Question]) -> set[_Question]:
    """The questions that are answered with yes."""
    there: set[_Question] = set()
    unsure: list[_Question] = []
    waiting = list(questions)
    width = 1 + len(asked.scope)
    for some, rows in _rows(tx, asked, waiting):
        owners: dict[Key, Sequence[Any]] = {tuple(row[:width]): row[width:] for row in rows}
        columns = [_Column({*each}, {*map(type, each)}) for each in zip(*owners, strict=True)]
        for question in some:
            answer = _told(question, owners, columns)
            if answer:
                there.add(question)
            elif answer is None:
                unsure.append(question)
    if len(unsure) > _SINGLY and not any(rows for _, rows in _rows(tx, asked, unsure)):
        return there
    for some in _chunks(unsure, _most(tx, _SINGLY * (width + 1)) // (width + 1)):
        answers = tx.execute(asked.singly(some)).one()
        there.update(question for question, answer in zip(some, answers, strict=True) if answer)
    return there


def _rows(
    tx: Unit, asked: _Asked, questions: list[_Question]
) -> Iterator[tuple[list[_Question], Sequence[Sequence[Any]]]]:
    width = 1 + len(asked.scope)
    for some in _chunks(questions, _most(tx, _VALUES * width) // width):
        yield some, tx.execute(asked.all([*dict.fromkeys(question.key for question in some)])).all()


class _Column(NamedTuple):
    """The values of one column in the rows that came back."""

    values: set[Any]
    kinds: set[type]


def _told(question: _Question, owners: dict[Key, Sequence[Any]], columns: list[_Column]) -> bool | None:
    """The answer by the rows that came back; ``None`` where only the database can tell."""
    if not owners:
        return False
    if question.key in owners:
        others = {*owners[question.key]} - {None}
        if question.own is None or not others:
            return True
        if others == {question.own}:
            return False
        return True if {type(question.own), *map(type, others)} in _EXACT else None
    # A value that is equal to one of them has another form, which not every type has.
    exact = [
        value in column.values
        for column, value in zip(columns, question.key, strict=True)
        if column.kinds | {type(value)} in _EXACT
    ]
    return False if len(exact) == len(columns) or not all(exact) else None


def _chunks(questions: list[_Question], size: int) -> Iterator[list[_Question]]:
    for start in range(0, len(questions), size):
        yield questions[start : start + size]


def _most(tx: Unit, wished: int) -> int:
    """How many values one statement may have."""
    driver: Any = tx.connection.connection.dbapi_connection
    if isinstance(driver, sqlite3.Connection):
        return min(wished, driver.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER))
    return wished


def _fit(asked: _Asked, dialect: Dialect) -> Callable[[Key], bool]:
    """Tells whether the columns could hold these values; what they cannot hold is not sent to the database."""
    fits = [_fits(column.type, dialect) for column in (asked.column, *asked.scope)]
    return lambda key: all(fit(value) for fit, value in zip(fits, key, strict=True))


def _fits(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], bool]:
    bind = kind.dialect_impl(dialect).bind_processor(dialect)
    below = kind.load_dialect_impl(dialect) if isinstance(kind, TypeDecorator) else kind
    expected = _driver_types(below)
    biggest = _BIGGEST.get(dialect.name, 2**64)

    def fit(value: Any) -> bool:
        try:
            raw = value if bind is None else bind(value)
            if isinstance(raw, str):
                raw.encode()
        except (ArithmeticError, LookupError, TypeError, ValueError):
            return False
        if expected is not None and not isinstance(raw, expected):
            return False
        if isinstance(raw, int):
            return -(2**63) <= raw < biggest
        return not isinstance(raw, (float, Decimal)) or math.isfinite(raw)

    return fit


def _driver_types(kind: TypeEngine[Any]) -> tuple[type, ...] | None:
    """What the driver is given for a column: a number for text, or text for a number, would be converted there."""
    try:
        python_type = kind.python_type
    except NotImplementedError:
        return None
    if python_type is str:
        return (str,)
    return (int, float, Decimal) if python_type in {int, float, Decimal, bool} else None
