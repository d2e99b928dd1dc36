"""How errors are told apart, what is kept of one, when one comes back."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.log.tracebacks import describe, fingerprint
from postrmagic_core.observability.errors import policy
from postrmagic_core.observability.errors.grouping import Grouping
from postrmagic_core.observability.errors.policy import Held, seen_again
from postrmagic_core.observability.errors.waiting import HOUR_US, MOST, Waiting
from tests.observability.errors.rig import cleaned, raised


def deep(levels: int) -> BaseException:
    """An error that came so deep."""

    def down(left: int) -> None:
        if left:
            down(left - 1)
        raise KeyError(left)

    with pytest.raises(KeyError) as caught:
        down(levels)
    return caught.value


def errors() -> list[BaseException]:
    """Errors of several kinds, from several places."""
    chained = raised(OSError, "disk")
    chained.__cause__ = raised(ValueError, "x")
    group = raised(ExceptionGroup, "several", [raised(ValueError), raised(KeyError)])
    return [raised(ValueError, "a"), raised(TypeError), chained, group, deep(3), deep(4), deep(100)]


def test_remembered_fingerprints_are_those_of_the_log() -> None:
    """The first time and the second; more kinds than are remembered change nothing."""
    grouping = Grouping()
    for number in range(1500):
        grouping.of({}, raised(type(f"E{number}", (Exception,), {})))
    for error in errors() * 2:
        assert grouping.of(cleaned(error=error), error) == fingerprint(error)
    assert len(grouping._known) <= 1000


def test_the_events_own_fingerprint_comes_first() -> None:
    """As it is where it can be a name, hashed where it cannot."""
    grouping, error = Grouping(), raised()
    assert grouping.of({"fingerprint": "payment.declined"}, error) == "payment.declined"
    for strange in ("two words", "x" * 65, "\ud800", "-x", "a\nb"):
        assert re.fullmatch("[0-9a-f]{16}", grouping.of({"fingerprint": strange}, error))
    for none in (None, "", 7, ["x"]):
        assert grouping.of({"fingerprint": none}, error) == fingerprint(error)


def test_without_an_exception_what_varies_does_not_tell_apart() -> None:
    """Numbers, ids and quoted parts; another text or another logger does."""

    def of(event: str, logger: str = "a") -> str:
        return Grouping().of({"event": event, "logger": logger}, None)

    first = of("poster 7 of 'me' not found: 0190a1b2-0000-7000-8000-00000000abcd, deadbeef01, 0x1f")
    assert first == of("poster 12 of 'you and me' not found: 0190a1b2-1111-7222-8333-44444444ffff, 01beefdead, 0xff")
    assert first != of("poster 7 of 'me' was found: 0190a1b2-0000-7000-8000-00000000abcd, deadbeef01, 0x1f")
    assert of("x") != of("x", "b")
    assert of("it can't, they don't") != of("it can't, they won't")


def test_the_place_is_the_applications_innermost() -> None:
    """Not that of an installed package, nor of the standard library, unless there is no other."""
    own, site = "/srv/app/media/uploads.py", "/srv/venv/lib/python3.11/site-packages/sqlalchemy/engine.py"
    library = json.__file__
    frames = [{"file": file, "line": 7, "function": "f"} for file in (own, site, library, policy.__file__)]

    def place(*shown: dict[str, Any], **more: Any) -> str:
        return policy.heading({"logger": "media", "exception": {"frames": list(shown), **more}}).place

    assert place(*frames) == "media/uploads.py:7 in f"
    assert place(*frames[1:2]) == "sqlalchemy/engine.py:7 in f"
    assert place(errors=[{"frames": frames}]) == "media/uploads.py:7 in f"
    assert place() == "media"
    assert policy.heading({"exception": {"frames": [None, 7]}}).place == ""
    here = policy.heading({"exception": describe(raised())}).place
    assert here.startswith("errors/rig.py:")
    assert here.endswith(" in raised")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4000),
    lambda inner: st.lists(inner, max_size=200) | st.dictionaries(st.text(max_size=200), inner, max_size=50),
    max_leaves=60,
)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["ts", "event", "exception", "frames", "a", "b", "type"]), JSON))
def test_a_sample_is_bounded_whatever_was_logged(event: dict[str, Any]) -> None:
    """It is JSON of at most 16 KiB, and what fits is kept whole."""
    sample = policy.sample(event)
    assert len(sample) <= policy.SAMPLE_BYTES
    found = json.loads(sample)
    if len(json.dumps(event)) <= 8000:
        assert found == event
    heading = policy.heading(event)
    assert len(heading.words.encode()) <= 2000


def test_of_a_huge_error_the_end_of_its_way_is_kept() -> None:
    """And its ids: by them the whole story is found."""
    error = deep(100)
    event = cleaned("x" * 100_000, error, request_id="r-1", **{f"f{n}": "ü" * 8000 for n in range(90)})
    found = json.loads(policy.sample(event))
    assert found["exception"]["frames"][-1]["function"].endswith("down")
    assert found["exception"]["type"] == "KeyError"
    assert found["request_id"] == "r-1"


SINCE = {"1.0": 100, "1.1": 200, "2.0": 300, "2.0-twin": 300}


@pytest.mark.parametrize(
    ("held", "last_us", "release", "state"),
    [
        (Held("resolved", 5, 1000, "1.1", None, None), 9999, "2.0", "regressed"),
        (Held("resolved", 5, 1000, "1.1", None, None), 9999, "1.1", None),
        (Held("resolved", 5, 1000, "1.1", None, None), 9999, "1.0", None),
        (Held("resolved", 5, 1000, "2.0", None, None), 9999, "2.0-twin", None),
        (Held("resolved", 5, 1000, "3.0", None, None), 9999, "2.0", None),
        (Held("resolved", 5, 1000, "1.1", None, None), 9999, "unseen", None),
        (Held("resolved", 5, 1000, "1.1", None, None), 1001, "", "regressed"),
        (Held("resolved", 5, 1000, "", None, None), 1001, "1.0", "regressed"),
        (Held("resolved", 5, 1000, "", None, None), 1000, "2.0", None),
        (Held("ignored", 5, 1000, "", None, None), 9999, "2.0", None),
        (Held("ignored", 5, 1000, "", 2000, None), 2000, "2.0", None),
        (Held("ignored", 5, 1000, "", 2000, None), 2001, "2.0", "new"),
        (Held("ignored", 5, 1000, "", None, 5), 9999, "2.0", None),
        (Held("ignored", 6, 1000, "", None, 5), 9999, "2.0", "new"),
        (Held("regressed", 6, 1000, "", None, None), 9999, "2.0", None),
    ],
)
def test_when_an_error_comes_back(held: Held, last_us: int, release: str, state: str | None) -> None:
    """Old processes that still run bring nothing back; what is over is over."""
    assert seen_again(held, last_us, release, SINCE) == state


def test_what_waits_is_bounded_each_hour_anew() -> None:
    """A thousand groups, whether they were taken meanwhile or not; known ones go on being counted."""
    waiting = Waiting()
    answers = [waiting.note(str(number), {}, 5) for number in range(MOST + 10)]
    assert answers[0] == "first"
    assert answers.count("refused") == 10
    assert len(waiting.take()) == MOST
    assert waiting.note("0", {}, 6) == "first"
    assert waiting.note("another", {}, 6) == "refused"
    assert waiting.note("another", {}, HOUR_US) == "counted"
    assert waiting.take()["0"].hours == {0: 1}
    assert waiting.is_empty
