"""A report says whether anybody has changed it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database.transfer.verifying.differing import Difference
from postrmagic_core.database.transfer.verifying.integrity import Failure
from postrmagic_core.database.transfer.verifying.report import check, sign
from postrmagic_core.database.transfer.verifying.verify import TableVerdict, VerifyReport
from postrmagic_core.errors import DecodeError, SealBroken

OLD, NEW = "0123456789abcdefghijklmnopqrstuv", "vutsrqponmlkjihgfedcba9876543210"
RIGHT = TableVerdict("users", "users", 3, 3, "ab" * 16, "ab" * 16, seconds=0.25)
WRONG = replace(
    RIGHT,
    name="pósts \U0001f600",
    target_hash="cd" * 16,
    changed=1,
    differences=(Difference("changed", "posts", "1", "title", "'a'", "'á' (character 1 is U+00E1)"),),
    failures=(Failure("foreign key", "posts", "fk_posts_1", "rows name none of users", 2),),
)
PLACES = ("app.db", "mysql://app@db.example.org/shop", "mariadb 10.11.6")
REPORT = VerifyReport("2026-11-29T06:40:00+00:00", 1.5, *PLACES, "p" * 64, "s" * 64, (RIGHT, WRONG))


def test_a_signed_report_says_what_was_found() -> None:
    """Everything that was compared is in it, and whether it was equal, for each table and in all."""
    found = check(sign(REPORT, KeyRing([NEW])), KeyRing([NEW]))
    assert (found["equal"], [table["equal"] for table in found["tables"]]) == (False, [True, False])
    assert found["tables"][1]["differences"] == [
        {"kind": "changed", "table": "posts", "key": "1", "column": "title"}
        | {"source": "'a'", "target": "'á' (character 1 is U+00E1)"}
    ]
    assert (found["plan"], found["schema"], found["began"]) == (REPORT.plan, REPORT.schema, REPORT.began)
    assert found["tables"][0]["source_hash"] == RIGHT.source_hash


def test_a_report_is_the_same_file_each_time() -> None:
    """What is equal is written equally, so that two reports can be compared as files."""
    assert sign(REPORT, KeyRing([NEW])) == sign(REPORT, KeyRing([NEW]))


def test_a_report_signed_before_the_keys_were_rotated_is_good() -> None:
    """Any key of the ring may have signed it; another ring's may not."""
    signed = sign(REPORT, KeyRing([OLD]))
    assert check(signed, KeyRing([NEW, OLD]))["rows"] == 6
    with pytest.raises(SealBroken, match="another key"):
        check(signed, KeyRing([NEW]))


@given(st.data())
def test_no_byte_of_it_can_be_changed(data: st.DataObject) -> None:
    """Whatever is changed, inserted or left out: it is no good report any more."""
    signed = sign(REPORT, KeyRing([NEW]))
    at = data.draw(st.integers(0, len(signed) - 1))
    byte = data.draw(st.binary(max_size=2))
    changed = signed[:at] + byte + signed[at + data.draw(st.integers(0, 2)) :]
    if changed != signed:
        with pytest.raises((SealBroken, DecodeError)):
            check(changed, KeyRing([NEW]))


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["report"].update(equal=True),
        lambda document: document["report"]["tables"].pop(),
        lambda document: document["report"]["tables"][1].update(differences=[]),
        lambda document: document["report"].update(more=1),
        lambda document: document.update(more=1),
        lambda document: document.update(signature=""),
        lambda document: document["report"].update(algorithm="none"),
    ],
)
def test_a_report_that_was_made_to_say_something_else_is_refused(change: Any) -> None:
    """Also one that is laid out as if it had been written so."""
    document = json.loads(sign(REPORT, KeyRing([NEW])))
    change(document)
    with pytest.raises(SealBroken):
        check(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n", KeyRing([NEW]))


def test_a_word_that_is_said_twice_is_refused() -> None:
    """A person would read the first, and whoever checks the last."""
    signed = sign(REPORT, KeyRing([NEW]))
    with pytest.raises(SealBroken):
        check(signed.replace(b'"equal": false,', b'"equal": true,\n    "equal": false,', 1), KeyRing([NEW]))


def test_without_keys_it_says_that_it_is_not_signed() -> None:
    """It is not taken for a signed one, whatever stands where a signature would."""
    signed = sign(REPORT, None)
    assert json.loads(signed)["report"]["algorithm"] == "none"
    with pytest.raises(SealBroken, match="not signed"):
        check(signed, KeyRing([NEW]))


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"[]", b"{}", b'{"report": 1, "signature": ""}', b'{"report": {}}', b"[" * 100_000]
)
def test_what_is_no_report_is_told_from_one_that_was_changed(text: bytes) -> None:
    """Another file is not a forgery."""
    with pytest.raises(DecodeError):
        check(text, KeyRing([NEW]))
