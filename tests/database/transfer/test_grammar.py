"""Which texts are dates that come back the same."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.database.transfer.forms.form import form_of
from postrmagic_core.database.transfer.interface import ColumnPlan
from postrmagic_core.database.transfer.source.grammar import Grammar, grammar_of, written


@pytest.mark.parametrize(
    ("text", "grammar"),
    [
        ("2024-02-29", Grammar("%Y-%m-%d")),
        ("2024-02-29 23:59:59", Grammar("%Y-%m-%d %H:%M:%S")),
        ("2024-02-29T23:59:59", Grammar("%Y-%m-%dT%H:%M:%S")),
        ("2024-02-29T23:59:59Z", Grammar("%Y-%m-%dT%H:%M:%SZ")),
        ("2024-02-29 23:59:59+00:00", Grammar("%Y-%m-%d %H:%M:%S+00:00")),
        ("2024-02-29 23:59:59.1", Grammar("%Y-%m-%d %H:%M:%S.%f", 1)),
        ("2024-02-29T23:59:59.123456Z", Grammar("%Y-%m-%dT%H:%M:%S.%fZ", 6)),
        ("1000-01-01", Grammar("%Y-%m-%d")),
        ("9999-12-31 23:59:59", Grammar("%Y-%m-%d %H:%M:%S")),
    ],
)
def test_a_date_has_one_grammar(text: str, grammar: Grammar) -> None:
    """The days, the separator, the fraction's digits and the zone are each of it."""
    assert grammar_of(text) == grammar
    assert written([text, text], grammar)


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-30",
        "2023-02-29 10:00:00",
        "0999-12-31",
        "2024-01-01 24:00:00",
        "2024-01-01 23:59:60",
        "2024-01-01 10:00",
        "2024-01-01 10:00:00.1234567",
        "2024-01-01 10:00:00+01:00",
        "2024-01-01 10:00:00z",
        "2024-1-1",
        "2024-W01-1",
        "20240101",
        "2024-01-01 ",
        "2024-01-01\n",
        " 2024-01-01",
        "\u0662\u0660\u0662\u0664-01-01",
        "",
        "now",
    ],
)
def test_what_would_not_come_back_is_no_date(text: str) -> None:
    """Days that there are not, hours and seconds of no clock, other zones, other digits, and anything around it."""
    assert grammar_of(text) is None


@pytest.mark.parametrize("other", ["2024-01-01", "2024-01-01 10:00:00.1", "2024-01-01T10:00:00", "2024-02-30 10:00:00"])
def test_one_text_of_another_grammar_is_enough(other: str) -> None:
    """They are then written in no common one."""
    assert not written(["2024-01-01 10:00:00", other], Grammar("%Y-%m-%d %H:%M:%S"))


@given(
    st.datetimes(min_value=datetime.fromisoformat("1000-01-01")),
    st.sampled_from([" ", "T"]),
    st.integers(0, 6),
    st.sampled_from(["", "Z", "+00:00"]),
)
def test_each_date_is_found_and_can_be_written(moment: datetime, between: str, digits: int, suffix: str) -> None:
    """What is found here is what the form of such a column writes and reads back."""
    text = f"{moment:%Y-%m-%d}{between}{moment:%H:%M:%S}"
    text += f".{f'{moment:%f}'[:digits]}{suffix}" if digits else suffix
    grammar = grammar_of(text)
    assert grammar is not None
    form = form_of(ColumnPlan("at", "at", f"DATETIME({digits})", declared="DATETIME", grammar=grammar.form))
    assert form.misfit([text]) is None
    (stored,) = form.parameters([text])
    assert form.back(stored) == text
