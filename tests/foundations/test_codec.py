"""The codec: every value comes back with the type it had, and bytes from elsewhere are refused."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from postrmagic_core._codec import TypedCodec, decode, encode
from postrmagic_core.errors import DecodeError, EncodeError

offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
hashable = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.datetimes(),
    st.datetimes(timezones=offsets),
)
values = st.recursive(
    hashable,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.one_of(st.text(), st.integers(-(2**63), 2**63 - 1)), inner, max_size=4),
        st.sets(hashable, max_size=4),
        st.frozensets(hashable, max_size=4),
    ),
    max_leaves=12,
)


def shape(value: Any) -> Any:
    """The value with its types written out, so that 1, True and 1.0 differ."""
    if isinstance(value, list | tuple):
        return type(value).__name__, [shape(item) for item in value]
    if isinstance(value, set | frozenset):
        return type(value).__name__, {(type(item).__name__, item) for item in value}
    if isinstance(value, dict):
        return {(type(key).__name__, key): shape(item) for key, item in value.items()}
    return type(value).__name__, value


@given(values)
def test_any_value_comes_back_as_itself(value: Any) -> None:
    """Decoding an encoded value gives an equal value of equal types, at every depth."""
    assert shape(decode(encode(value))) == shape(value)


def test_a_folded_hour_keeps_its_fold() -> None:
    """The second 02:30 of the night when clocks go back stays the second."""
    second = dt.datetime(2026, 10, 25, 2, 30, fold=1)  # noqa: DTZ001 - naive on purpose
    assert decode(encode(second)).fold == 1


class Color(enum.Enum):
    RED = "red"


class Poster(BaseModel):
    title: str
    color: Color
    price: Decimal


@dataclass
class Point:
    x: int
    y: tuple[int, ...]


@pytest.mark.parametrize("value", [object(), Color.RED, Point(1, (2,)), dt.datetime.now(ZoneInfo("Europe/Berlin"))])
def test_a_type_that_would_lose_something_is_refused_by_name(value: object) -> None:
    """Nothing is quietly turned into something else: the error names the type."""
    with pytest.raises(EncodeError, match=r"object|Color|Point|datetime"):
        encode({"value": [value]})


def test_the_error_for_a_type_does_not_contain_the_value() -> None:
    """An error text is logged: it names the type, never what was in it."""

    class Secret:
        def __repr__(self) -> str:
            return "hunter2"

    with pytest.raises(EncodeError) as caught:
        encode(Secret())
    assert "Secret" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@given(st.binary(max_size=200))
def test_foreign_bytes_decode_to_a_value_or_to_one_error(data: bytes) -> None:
    """Whatever stands in a store, decoding ends in a value or in DecodeError, nothing else."""
    try:
        decode(data)
    except DecodeError:
        return


def test_pickled_bytes_are_inert() -> None:
    """A planted pickle is an error, and its code does not run."""
    planted = b"cposix\nsystem\n(S'touch planted'\ntR."
    assert not Path("planted").exists()
    with pytest.raises(DecodeError):
        decode(planted)
    with pytest.raises(DecodeError):
        decode(b"\x80\x04" + planted)
    assert not Path("planted").exists()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Poster, Poster(title="a", color=Color.RED, price=Decimal("1.10"))),
        (Point, Point(1, (2, 3))),
        (Color, Color.RED),
        (list[Poster], [Poster(title="b", color=Color.RED, price=Decimal(2))]),
        (dict[int, UUID], {1: UUID(int=5)}),
    ],
)
def test_a_typed_codec_gives_models_back_as_models(kind: Any, value: Any) -> None:
    """Models, dataclasses and enums come back as themselves when their type is declared."""
    codec = TypedCodec[Any](kind)
    assert codec.decode(codec.encode(value)) == value


def test_a_typed_codec_refuses_bytes_of_another_type() -> None:
    """After a deploy that changed the model, old bytes are an error, not a wrong value."""
    with pytest.raises(DecodeError):
        TypedCodec[Poster](Poster).decode(encode({"title": "a"}))
