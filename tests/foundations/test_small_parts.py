"""Clock, ids, retry policy, metrics, problems, units: the small parts everything else stands on."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core import errors
from postrmagic_core._clock import from_us, to_us
from postrmagic_core._ids import token, uuid7, uuid7_text
from postrmagic_core._metrics import Histogram, Metrics
from postrmagic_core._problem import Problem, problem_for
from postrmagic_core._retry import RetryPolicy
from postrmagic_core._unit import any_unit, current_unit, entered, in_own_unit
from postrmagic_core.errors import NestedUnit, translating


@given(st.integers(0, 4_102_444_800_000_000))
def test_microseconds_and_datetimes_convert_exactly(us: int) -> None:
    """No float stands between: not one microsecond is lost."""
    assert to_us(from_us(us)) == us


def test_a_naive_datetime_is_refused() -> None:
    """Which instant it means is unknown."""
    with pytest.raises(ValueError, match="aware"):
        to_us(dt.datetime(2026, 1, 1))  # noqa: DTZ001 - naive on purpose


def test_a_uuid7_as_text_is_one() -> None:
    """Of now, of its version and variant, and never the same twice."""
    made = [UUID(uuid7_text()) for _ in range(1000)]
    assert {(each.version, each.variant) for each in made} == {(7, RFC_4122)}
    assert len(set(made)) == 1000
    assert abs((made[0].int >> 80) - (uuid7().int >> 80)) < 60_000


def test_uuid7_sorts_by_time_and_states_its_version() -> None:
    """Version and variant bits are those of RFC 9562."""
    early, late = uuid7(1_000_000), uuid7(2_000_000)
    made = [uuid7(1_000_000 + microsecond) for microsecond in range(3000)]
    assert [early, *made[1:], late] == sorted([early, *made[1:], late]), "in order, also within a millisecond"
    assert (early.version, early.variant) == (7, "specified in RFC 4122")
    assert len({uuid7(5) for _ in range(1000)}) == 1000


def test_tokens_are_unguessable_and_short_ones_refused() -> None:
    """128 bits at least (OWASP ASVS 11.5.1)."""
    assert len({token() for _ in range(1000)}) == 1000
    with pytest.raises(ValueError, match="16 bytes"):
        token(8)


@given(st.integers(1, 200), st.floats(0, 1, exclude_max=True))
def test_backoff_stays_within_its_bounds(failures: int, random: float) -> None:
    """Never longer than the cap, never negative, and none when the tries are used up."""
    policy = RetryPolicy(attempts=100, base=0.01, cap=2.0)
    delay = policy.delay(failures, random)
    assert (delay is None) == (failures >= 100)
    assert delay is None or 0 <= delay <= min(2.0, 0.01 * 2 ** (failures - 1))


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"base": 0.0}, {"base": 2.0, "cap": 1.0}])
def test_a_senseless_retry_policy_is_refused(wrong: dict[str, Any]) -> None:
    """The mistake shows where it was made."""
    with pytest.raises(ValueError, match=r"expected|at least"):
        RetryPolicy(**wrong)


def test_metrics_keep_one_object_per_name_and_labels() -> None:
    """The hot path keeps the counter; asking again gives the same one."""
    metrics = Metrics()
    metrics.counter("hits_total", room="cache").add()
    metrics.counter("hits_total", room="cache").add(2)
    metrics.histogram("wait_seconds").observe(0.02)
    assert list(metrics.counters()) == [("hits_total", (("room", "cache"),), 3)]
    assert [(name, histogram.count) for name, _, histogram in metrics.histograms()] == [("wait_seconds", 1)]


def test_a_histogram_counts_its_inclusive_upper_bounds() -> None:
    """A value equal to a bound falls below it, one beyond the last into the extra bucket."""
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 2.5):
        histogram.observe(value)
    assert (histogram.counts, histogram.sum, histogram.count) == ([2, 2, 1], 7.5, 5)


def test_a_problem_document_has_the_members_of_rfc_9457() -> None:
    """Type, title, status, detail, and our code."""
    document = json.loads(Problem(413, "body.too_large", detail="At most 1 MB.").body())
    assert document["title"] in {"Request Entity Too Large", "Content Too Large"}
    assert (document["type"], document["status"], document["code"]) == ("about:blank", 413, "body.too_large")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.UniqueViolation("secret"), 409, "data.unique"),
        (errors.BackendTimeout("secret"), 503, "backend.timeout"),
        (errors.NotOpen("secret"), 500, "internal"),
        (KeyError("secret"), 500, "internal"),
    ],
)
def test_a_problem_for_an_error_never_tells_its_text(error: Exception, status: int, code: str) -> None:
    """The client gets a stable code; the text stays in the log."""
    problem = problem_for(error)
    assert (problem.status, problem.code) == (status, code)
    assert b"secret" not in problem.body()


def test_every_error_has_a_code_of_its_own_and_stands_in_the_drawn_tree() -> None:
    """The docstring's tree is the tree."""

    def below(kind: type[errors.PostrMagicError]) -> list[type[errors.PostrMagicError]]:
        return [found for child in kind.__subclasses__() for found in (child, *below(child))]

    ours = [kind for kind in below(errors.PostrMagicError) if kind.__module__ == errors.__name__]
    drawn = errors.__doc__ or ""
    assert [kind.__name__ for kind in ours if f"{kind.__name__} " not in drawn] == []
    assert len({kind.code for kind in ours}) == len(ours)
    assert {kind.__name__ for kind in ours if kind.retryable} == {
        line.split("(r)")[0].split()[-1] for line in drawn.splitlines() if "──" in line and "(r)" in line
    }


def test_translating_maps_passes_and_leaves_alone() -> None:
    """A mapped error is ours with the driver's as its cause; others pass; ours is never mapped again."""

    def to_ours(error: BaseException) -> errors.PostrMagicError | None:
        return errors.BackendTimeout("late") if isinstance(error, TimeoutError) else None

    with pytest.raises(errors.BackendTimeout) as caught, translating(to_ours):
        raise TimeoutError("driver text")
    assert isinstance(caught.value.__cause__, TimeoutError)
    with pytest.raises(KeyError), translating(to_ours):
        raise KeyError("x")
    with pytest.raises(errors.Conflict), translating(lambda _error: errors.NotOpen("never")):
        raise errors.Conflict("x")


class OneUnit:
    """The least of a unit that the current-unit bookkeeping needs."""

    def __init__(self, database_id: str = "main") -> None:
        self.database_id = database_id


def enter(unit: OneUnit) -> Any:
    return entered(unit)  # type: ignore[arg-type]  # only database_id is used


def test_a_unit_is_current_for_its_block_and_database() -> None:
    """Each database has its own current unit."""
    one, other = OneUnit(), OneUnit("other")
    with enter(one), enter(other):
        assert [id(current_unit("main")), id(current_unit("other"))] == [id(one), id(other)]
        assert id(any_unit()) in (id(one), id(other))
    assert current_unit("main") is None
    assert any_unit() is None


def test_a_second_unit_of_one_database_is_refused() -> None:
    """The error names the two cures."""
    with enter(OneUnit()), pytest.raises(NestedUnit, match="savepoint"), enter(OneUnit()):
        pytest.fail("entered")


def in_thread(probe: Callable[[], object]) -> object:
    """What `probe` gives or raises in a thread that inherits this context."""
    import contextvars

    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(probe())
        except NestedUnit as error:
            outcome.append(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: context.run(run))
    thread.start()
    thread.join(5)
    return outcome[0]


def test_an_inherited_unit_cannot_be_joined() -> None:
    """A child task or a thread with a copied context gets an error, not the parent's connection."""

    async def child() -> None:
        current_unit("main")

    async def main() -> None:
        with enter(OneUnit()):
            with pytest.raises(NestedUnit, match="inherited"):
                await asyncio.create_task(child())
            assert isinstance(await asyncio.to_thread(in_thread, lambda: current_unit("main")), NestedUnit)

    asyncio.run(main())
    with enter(OneUnit()):
        assert isinstance(in_thread(lambda: current_unit("main")), NestedUnit)
        assert in_thread(any_unit) is None


class Refusing:
    """Units whose first ones fail."""

    database_id = "main"

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.begun = 0

    @contextlib.contextmanager
    def write(self) -> Iterator[OneUnit]:
        self.begun += 1
        if self.failures:
            raise self.failures.pop(0)
        yield OneUnit()


def own(units: Refusing, work: Callable[[Any], str]) -> str:
    return in_own_unit(units, work, lambda: 0.0)  # type: ignore[arg-type]  # only write() is used


def test_a_component_s_own_unit_is_tried_again_whole() -> None:
    """After a conflict the work runs again in a new unit; its result comes back."""
    units = Refusing(errors.Conflict("busy"), errors.Conflict("busy"))
    assert own(units, lambda tx: "done") == "done"
    assert units.begun == 3


def test_a_component_s_own_unit_gives_up_where_trying_again_cannot_help() -> None:
    """An error that is no conflict is raised at once; a conflict without end after ten tries."""
    unknown = Refusing(errors.OutcomeUnknown("cut"))
    with pytest.raises(errors.OutcomeUnknown):
        own(unknown, lambda tx: "done")
    assert unknown.begun == 1
    busy = Refusing(*(errors.Conflict("busy") for _ in range(99)))
    with pytest.raises(errors.Conflict):
        own(busy, lambda tx: "done")
    assert busy.begun == 10


def test_a_component_s_own_unit_does_not_ask_a_silent_server_all_its_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may take a whole time-out: none begins after two seconds, where a lock that is held has its ten."""
    patient, silent = Refusing(*[errors.Conflict("busy")] * 99), Refusing(*[errors.BackendTimeout("silent")] * 99)
    for units in (patient, silent):
        clock = SimpleNamespace(monotonic=partial(next, itertools.count(step=0.75)), sleep=lambda seconds: None)
        monkeypatch.setattr("postrmagic_core._unit.time", clock)
        with pytest.raises(errors.BackendError):
            own(units, lambda tx: "done")
    assert (patient.begun, silent.begun) == (10, 3)
