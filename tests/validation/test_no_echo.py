"""A secret that is sent in the wrong place is told to nobody: no error, message, pointer, log record or traceback."""

from __future__ import annotations

import datetime
import json
import logging
import traceback
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, Field, HttpUrl, SecretStr, field_validator, model_validator

from postrmagic_core._problem import problem_for
from postrmagic_core.errors import ValidationFailed
from postrmagic_core.validation import Input, InputLimits, Validator, invalid
from postrmagic_core.validation.form_errors import errors_by_input
from postrmagic_core.validation.rules import PlainText, SafeHtml, Slug, Tag


class Card(Input):
    """One branch of a tagged union."""

    kind: Literal["card"]
    number: Annotated[str, Field(pattern=r"^[0-9]{12,19}$")]


class Transfer(Input):
    """The other branch."""

    kind: Literal["transfer"]
    account: int


class Address(Input):
    """A nested model."""

    street: Annotated[str, PlainText(max=6)]
    since: datetime.date | None = None


def _never(value: str) -> str:
    raise ValueError(f"{value} is known to be leaked")


def _neither(value: str) -> str:
    raise AssertionError(f"{value} cannot be")


class Account(Input):
    """A field of every kind that a secret may be typed into by mistake."""

    name: Annotated[str, PlainText(max=8, min=1)] = "n"
    password: Annotated[str, Field(min_length=4, max_length=8)] = "pass"
    again: str = "pass"
    pin: Annotated[SecretStr, Field(max_length=4)] = SecretStr("1")
    old: Annotated[str, AfterValidator(_never)] = ""
    older: Annotated[str, AfterValidator(_neither)] = ""
    token: uuid.UUID | None = None
    born: datetime.date | None = None
    seen: datetime.datetime | None = None
    wait: datetime.timedelta | None = None
    amount: Annotated[Decimal, Field(max_digits=4)] | None = None
    ratio: float = 0.5
    count: int = 0
    agreed: bool = False
    role: Literal["reader", "writer"] = "reader"
    pay: Annotated[Card | Transfer, Field(discriminator="kind")] | None = None
    either: int | Address | None = None
    codes: dict[str, int] = Field(default_factory=dict)
    days: dict[datetime.date, int] = Field(default_factory=dict)
    addresses: list[Address] = Field(default_factory=list)
    tags: Annotated[list[Tag], Field(max_length=2)] = Field(default_factory=list)
    slug: Slug = "s"
    home: HttpUrl | None = None
    about: Annotated[str, SafeHtml()] = ""

    @field_validator("password")
    @classmethod
    def _unlike(cls, value: str) -> str:
        if value == "password":
            raise invalid("password.common", "is too common")
        return value

    @model_validator(mode="after")
    def _same(self) -> Account:
        if self.password != self.again:
            raise invalid("password.mismatch", "the passwords differ")
        return self


ACCOUNTS = Validator(Account)
NARROW = Validator(Account, limits=InputLimits(depth=3, items=20, bytes=300))
# Long and of few kinds, so that no text of ours holds one by chance; the first characters break a rule of text each.
SECRETS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "<b>", "\u202e", "\0", "-1", "../", "é", "=", "1e9", "{0}", "%s", "\n"]),
    st.text("QXZ", min_size=12, max_size=20),
    st.sampled_from(["", "", "\x1b[2J", "</b>", "\u0301" * 40, "\n"]),
)
Place = Callable[[str], Any]
FIELDS = sorted(Account.model_fields)

# Where a value may stand. The secret is the value, or inside it.
VALUES: dict[str, Place] = {
    "the whole": lambda secret: secret,
    "in a list": lambda secret: [secret],
    "in an object": lambda secret: {"x": secret},
    "a list's item": lambda secret: [{"street": secret, "since": secret}],
    "a branch": lambda secret: {"kind": "card", "number": secret},
    "the other branch": lambda secret: {"kind": "transfer", "account": secret},
    "the tag": lambda secret: {"kind": secret},
    "the tag as an object": lambda secret: {"kind": {"kind": secret}},
    "very often": lambda secret: [secret] * 30,
    "very deep": lambda secret: [[[[[secret]]]]],
    "very long": lambda secret: secret * 40,
}
# Where a name may stand: such a name is too long, or not printable.
NAMES: dict[str, Place] = {
    "a field": lambda secret: {secret: 1},
    "a field of a field": lambda secret: {"addresses": [{"street": "s", secret: 1}]},
    "a field of a branch": lambda secret: {"pay": {"kind": "card", "number": "1" * 12, secret: 1}},
    "a key": lambda secret: {"codes": {secret: "x"}},
    "a key that is no date": lambda secret: {"days": {secret: 1}},
    "a key of the wrong thing": lambda secret: {"count": {secret: {secret: 1}}},
}


class _Listener(logging.Handler):
    """Keeps all of every record."""

    def __init__(self, records: list[str]) -> None:
        super().__init__(logging.NOTSET)
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message and every attribute."""
        self._records.append(f"{record.getMessage()} {record.__dict__}")


def told_by(call: Callable[[], object]) -> str:
    """All that anybody gets to see of the refusal of ``call``; nothing where it was accepted."""
    records: list[str] = []

    root, listener = logging.getLogger(), _Listener(records)
    level = root.level
    shown: list[str] = []
    root.addHandler(listener)
    root.setLevel(logging.NOTSET)
    try:
        call()
    except ValidationFailed as error:
        shown += [repr(error), str(error), repr(error.errors), repr(error.args), repr(error.__cause__)]
        shown += traceback.format_exception(error)
        shown.append(problem_for(error).body().decode(errors="backslashreplace"))
        shown.append(repr(errors_by_input(error, FIELDS)))
    finally:
        root.removeHandler(listener)
        root.setLevel(level)
    return "\n".join(shown + records)


def assert_silent(secret: str, told: str) -> None:
    """The secret is not in it, nor is its middle part, whatever became of its ends."""
    middle = max("".join(letter if letter in "QXZ" else " " for letter in secret).split(), key=len)
    assert middle not in told


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SECRETS, st.sampled_from(FIELDS), st.sampled_from(sorted(VALUES)), st.sampled_from(["en", "de"]))
def test_a_value_is_never_told(secret: str, field: str, place: str, locale: str) -> None:
    """In any field, right or wrong in kind, length and depth; as Python data and as JSON, in both languages."""
    data = {field: VALUES[place](secret)}
    body = json.dumps(data).encode()
    for validator in (ACCOUNTS, NARROW):
        assert_silent(secret, told_by(lambda: validator.validate(data, locale=locale)))  # noqa: B023 - called at once
        assert_silent(secret, told_by(lambda: validator.validate_json(body, locale=locale)))  # noqa: B023 - at once


@pytest.mark.parametrize("place", VALUES)
def test_no_field_tells_its_value(place: str) -> None:
    """Each field in each place once, so that none depends on chance."""
    secret = "QXZ" * 5
    for field in FIELDS:
        assert_silent(secret, told_by(lambda: ACCOUNTS.validate({field: VALUES[place](secret)})))  # noqa: B023 - at once


def test_half_a_character_is_not_told() -> None:
    """A lone surrogate, which has no UTF-8, is refused or kept like any other text, in each field."""
    secret = "\ud800" + "QXZ" * 4
    for field in FIELDS:
        assert_silent(secret, told_by(lambda: ACCOUNTS.validate({field: secret})))  # noqa: B023 - called at once
        assert_silent(secret, told_by(lambda: ACCOUNTS.validate_form([(field, secret)])))  # noqa: B023 - called at once


@settings(max_examples=60, deadline=None)
@given(SECRETS, st.sampled_from(sorted(NAMES)))
def test_a_name_is_told_only_where_it_is_short_and_printable(secret: str, place: str) -> None:
    """Otherwise the pointer ends before it: what is pasted into the wrong place of a request is often a secret."""
    for hidden in (secret + "\u202e", secret.ljust(65, "Q")):
        data = NAMES[place](hidden)
        assert_silent(hidden, told_by(lambda: ACCOUNTS.validate(data)))  # noqa: B023 - called at once
        assert_silent(hidden, told_by(lambda: ACCOUNTS.validate_json(json.dumps(data).encode())))  # noqa: B023 - at once


def test_a_short_name_is_told() -> None:
    """As the documentation says: without it nobody would find the field."""
    secret = "QXZ" * 5
    told = told_by(lambda: ACCOUNTS.validate({"pasword": secret}))
    assert "/pasword" in told
    assert_silent(secret, told)


@settings(max_examples=60, deadline=None)
@given(
    SECRETS.filter(lambda text: text.isprintable()),
    st.sampled_from(
        [
            '{"password": "%s"',
            '{"password": "%s", "password": "%s"}',
            '{"password": %s}',
            '"%s',
            '{"password": "a", "x": NaN, "y": "%s"}',
            '\ufeff{"password": "%s"}',
            '[1e999, "%s"]',
            '{"a": "\\u00"%s}',
            '{"codes": {"a": 1, "a": "%s"}}',
            '[[[[[["%s"]]]]]]',
        ]
    ),
)
def test_json_that_is_none_is_not_told(secret: str, form: str) -> None:
    """Names given twice, broken syntax, numbers out of range, wrong encodings: the parser's own words stay inside."""
    body = form.replace("%s", secret).encode()
    for sent in (body, body + b"\xff", body.decode().encode("utf-16")):
        for validator in (ACCOUNTS, NARROW):
            assert_silent(secret, told_by(lambda: validator.validate_json(sent)))  # noqa: B023 - called at once


@settings(max_examples=60, deadline=None)
@given(SECRETS, st.sampled_from(FIELDS), st.sampled_from(["once", "twice", "as a name", "as a file", "often", "long"]))
def test_a_form_tells_no_value(secret: str, field: str, way: str) -> None:
    """Sent once, twice, as the name of a field, in the place of a file, beyond the limits."""
    pairs: dict[str, list[tuple[str, object]]] = {
        "once": [(field, secret)],
        "twice": [(field, secret), (field, secret)],
        "as a name": [(secret.ljust(65, "Q"), "1")],
        "as a file": [(field, [secret])],
        "often": [(field, secret)] * 25,
        "long": [(field, secret * 40)],
    }
    for validator in (ACCOUNTS, NARROW):
        assert_silent(secret, told_by(lambda: validator.validate_form(pairs[way])))  # noqa: B023 - called at once
