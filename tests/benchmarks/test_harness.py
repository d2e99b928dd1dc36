"""The harness measures in turns, computes ratios from neighbours, and says what it could not measure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks._harness import Bench, Case, Options, load_adapter
from benchmarks._stats import Comparison, Sample, better, percentile


def comparison(**rounds: list[float]) -> Comparison:
    """Cases with these seconds per round."""
    return Comparison("x", {name: Sample(name, rounds=values, times=values) for name, values in rounds.items()})


def test_a_ratio_is_the_median_of_paired_rounds() -> None:
    """A machine that was slow for one round slows both sides of that round, and the ratio stays."""
    found = comparison(ours=[1.0, 10.0, 1.0], peer=[2.0, 20.0, 2.0])
    assert (found.rate_ratio("ours", "peer"), found.time_ratio("ours", "peer")) == (2.0, 0.5)
    unpaired = comparison(ours=[1.0, 9.0, 1.0], peer=[3.0, 9.0, 2.0])
    assert unpaired.rate_ratio("ours", "peer") == 2.0


def test_what_is_above_a_base_is_the_median_difference() -> None:
    """Not the difference of the medians."""
    assert comparison(bare=[1.0, 5.0, 3.0], full=[2.0, 9.0, 4.0]).above("full", "bare") == 1.0


def test_rates_make_the_ratio_of_cases_under_load() -> None:
    """Where threads ran, calls per second count."""
    found = Comparison("x", {"a": Sample("a", rates=[100.0, 50.0]), "b": Sample("b", rates=[50.0, 25.0])})
    assert (found.rate_ratio("a", "b"), found.time_ratio("a", "b")) == (2.0, 0.5)
    assert (found["a"].rate, comparison(a=[0.5])["a"].rate) == (75.0, 2.0)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.95, 95), (0.99, 99), (0.0, 1), (1.0, 100)])
def test_percentiles_are_observed_values(share: float, expected: float) -> None:
    """Nearest rank: at least that share does not exceed it."""
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_cases_take_turns_in_a_drawn_order() -> None:
    """Every round runs every case; the order varies, and the seed repeats it; the first round is not kept."""

    def order(seed: int) -> str:
        run: list[str] = []
        bench = Bench(Options(seed=seed))
        bench.pair("x", [Case(name, lambda name=name: run.append(name)) for name in "ab"], rounds=30)  # type: ignore[misc]  # mypy cannot type a default
        return "".join(run)

    drawn = order(1)
    assert {drawn[at : at + 2] for at in range(0, 62, 2)} == {"ab", "ba"}
    assert len(drawn) == 62
    assert drawn == order(1) != order(2)


def test_every_call_is_counted_and_preparation_is_not_timed() -> None:
    """Calls and batches multiply; before() runs once a round."""
    called = {"call": 0, "before": 0}

    def count(name: str) -> Callable[[], object]:
        return lambda: called.update({name: called[name] + 1})

    bench = Bench()
    found = bench.pair("x", [Case("a", count("call"), count("before"))], rounds=4, calls=3, batch=5)
    assert called == {"call": (4 + 1) * 3 * 5, "before": 5}
    assert (len(found["a"].rounds), len(found["a"].times)) == (4, 12)
    assert bench.comparisons == [found]


def test_load_runs_on_the_asked_threads() -> None:
    """Each case runs on so many threads at once, and yields rates and latencies."""
    together, seen = threading.Barrier(3), set[int]()

    def call() -> None:
        if threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            together.wait(30)

    found = Bench(Options(threads=3, duration=0.02)).load("x", [Case("a", call)], duration=60, rounds=1)
    assert len(seen) == 3
    assert len(found["a"].times) >= 3
    assert found["a"].rates[0] > 0


def test_an_error_in_a_thread_ends_the_run() -> None:
    """A case that fails is no fast case."""

    def fail() -> None:
        raise LookupError("broken case")

    with pytest.raises(LookupError, match="broken case"):
        Bench(Options(threads=2, duration=0.01)).load("x", [Case("a", fail)], duration=1, rounds=1)


def test_a_missing_peer_is_named() -> None:
    """It is neither dropped silently nor measured as nothing."""

    def load() -> Any:
        import no_such_package_anywhere  # type: ignore[import-not-found]  # that is the test

        return no_such_package_anywhere

    bench = Bench()
    assert bench.peer("their cache", load) is None
    assert bench.peer("here", lambda: "loaded") == "loaded"
    assert bench.missing == {"their cache": "not measured: no_such_package_anywhere is not installed"}


@pytest.mark.parametrize("name", ["Hit_us", "hit_us.", "hit_us.a b", "_us", "hit__us", "hit-us", ""])
def test_a_figure_has_a_plain_name(name: str) -> None:
    """Other names could not be a column, a file or a line of JSON for anybody's script."""
    with pytest.raises(ValueError, match="figure's name"):
        Bench().figure(name, 1.0)


def test_figures_have_a_direction() -> None:
    """The unit says which way is better; a count without one must stay."""
    assert {
        name: better(name)
        for name in ("hit_us", "import_ms.cache", "recovery_s", "idle_queries_per_s", "read_time_ratio")
    } == dict.fromkeys(("hit_us", "import_ms.cache", "recovery_s", "idle_queries_per_s", "read_time_ratio"), "lower")
    assert {better(name) for name in ("list_rate", "pool_rate_ratio", "reuse_ratio", "zipf_hit_rate", "x_speedup")} == {
        "higher"
    }
    assert {better(name) for name in ("lost_updates", "limit_admitted", "cold_computations.redis")} == {"same"}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_figure_is_a_number_reported_once(value: float) -> None:
    """Neither infinity nor a second opinion."""
    bench = Bench()
    bench.figure("hit_us", 1.23456789)
    assert bench.figures == {"hit_us": 1.23457}
    with pytest.raises(ValueError, match="reported twice"):
        bench.figure("hit_us", 2.0)
    with pytest.raises(ValueError, match="is no number"):
        bench.figure("miss_us", value)


def test_quick_says_how_much_it_shrank() -> None:
    """Less data is a scale, fewer repetitions are not."""
    full, quick = Bench(), Bench(Options(quick=True))
    assert (full.scaled(1000, 10), full.repeats(5, 1), full.scale) == (1000, 5, 1.0)
    assert (quick.repeats(5, 1), quick.scale) == (1, 1.0)
    assert (quick.scaled(1000, 500), quick.scaled(1000, 10), quick.scale) == (500, 10, 0.01)


def test_an_adapter_is_loaded_by_name() -> None:
    """Or the mistake in its name is said."""
    assert load_adapter("collections:OrderedDict").__name__ == "OrderedDict"
    for wrong, message in (("x", "module:Class"), ("no_such:X", "cannot load"), ("json:Nothing", "cannot load")):
        with pytest.raises(ValueError, match=message):
            load_adapter(wrong)
