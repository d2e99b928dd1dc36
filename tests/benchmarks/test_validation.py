"""The validation's benchmark reports what it promises, from few calls, and all sides check the same."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import pytest

from benchmarks._harness import Bench
from benchmarks.validation import bodies, costs, hostile, peers, stored
from benchmarks.validation.models import BODY, TEN_PROBLEMS, VALID, Poster
from postrmagic_core.validation import Validator

Calls = dict[str, Callable[[], None]]
PEERS = {"marshmallow": peers.marshmallow, "cerberus": peers.cerberus}


class Short(Bench):
    """One round of few calls."""

    def repeats(self, full: int, quick: int) -> int:
        """Always one."""
        return 1


def test_ours_is_timed_beside_bare_pydantic() -> None:
    """A valid mapping, a valid JSON text, and ten problems."""
    bench = Short()
    costs.beside_pydantic(bench)
    ratios = {"validate_time_ratio", "validate_json_time_ratio", "invalid_time_ratio"}
    assert bench.figures.keys() == ratios | {"validate_us", "validate_json_us", "invalid_us"}
    assert all(value > 0 for value in bench.figures.values())


def test_each_library_is_measured_or_named() -> None:
    """Beside ours on the same mapping."""
    bench = Short()
    costs.beside_peers(bench)
    assert ("marshmallow_speedup" in bench.figures) is (find_spec("marshmallow") is not None)
    assert ("cerberus_speedup" in bench.figures) is (find_spec("cerberus") is not None)
    assert {costs.OURS, costs.MARSHMALLOW, costs.CERBERUS} <= bench.comparisons[0].samples.keys() | bench.missing.keys()


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("field", VALID)
def test_every_side_has_the_same_schema(name: str, field: str) -> None:
    """The valid input passes; without a field, with one too many or one that is wrong it does not."""
    check = Bench().peer(name, PEERS[name])
    if check is None:
        pytest.skip(f"{name} is not installed")
    assert check(VALID)
    assert not check({key: value for key, value in VALID.items() if key != field})
    assert not check(VALID | {"unknown": 1})
    converted = name == "marshmallow" and field == "public"  # "yes" is true there
    assert check(VALID | {field: TEN_PROBLEMS[field]}) is converted


def test_the_inputs_are_what_they_say() -> None:
    """Read alike as a mapping and as JSON."""
    validator = Validator(Poster)
    assert validator.validate(VALID) == validator.validate_json(BODY)
    assert len(Poster.model_fields) == 8


@pytest.mark.soak
def test_eight_thousand_rows_are_asked_for_at_once() -> None:
    """One query a column."""
    bench = Short()
    stored.exists(bench)
    assert bench.figures["exists_8000_items_queries"] == 1
    assert bench.figures["exists_8000_items_s"] > 0


def test_hostile_bodies_are_a_megabyte() -> None:
    """At least fifteen kinds of JSON; none is larger than the limit that it shall pass."""
    texts = bodies.json_texts()
    assert len(texts) >= 15
    assert {name for name, body in texts.items() if not 0.85 * bodies.SIZE < len(body) <= bodies.SIZE} == set()


@pytest.fixture(scope="module")
def calls() -> Calls:
    """Every hostile body."""
    return dict(bodies.cases())


def test_the_slowest_hostile_body_is_reported(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> None:
    """Of those that are hostile, and of lists that are only long: the largest of each table."""
    monkeypatch.setattr(bodies, "cases", lambda: list(calls.items())[:3])
    monkeypatch.setattr(bodies, "long_lists", lambda: list(calls.items())[3:5])
    bench = Short()
    hostile.refused(bench)
    slowest = [1e3 * max(sample.median for sample in found.samples.values()) for found in bench.comparisons]
    assert [bench.figures[name] for name in ("hostile_1mb_ms", "long_list_ms")] == pytest.approx(slowest, rel=1e-3)
    assert [found.title for found in bench.comparisons] == [hostile.HOSTILE, hostile.LISTS]


@pytest.mark.parametrize("kind", ["JSON", "model", "PlainText", "Url", "rule", "HTML", "query", "multipart", "form"])
def test_every_kind_of_body_is_tried(kind: str, calls: Calls) -> None:
    """None of them raises anything but the refusal that is expected of it."""
    some = [call for name, call in calls.items() if name.startswith(f"{kind}: ")]
    assert len(some) > 3
    some[0]()
    some[-1]()
