"""The limits' benchmark reports what it promises."""

from __future__ import annotations

import pytest

from benchmarks import _limits as limits
from benchmarks._harness import Bench, Options


@pytest.mark.redis
def test_a_call_is_timed_on_each_store() -> None:
    """Beside every peer that is installed; one that is missing is named."""
    bench = Bench(Options(quick=True))
    limits.limit_costs(bench)
    assert {name for name, value in bench.figures.items() if value > 0} == {
        "limit_us.memory",
        "limit_us.sqlite",
        "limit_us.redis",
    }
    assert {"limits", "throttled-py"} <= {*bench.comparisons[0].samples, *bench.missing}


@pytest.mark.soak
@pytest.mark.mysql
@pytest.mark.redis
def test_a_limit_admits_what_it_says() -> None:
    """Eighty callers, ten are admitted, on every store that processes share."""
    bench = Bench(Options(quick=True))
    limits.admitted(bench)
    assert set(bench.figures.values()) == {10}
    assert bench.figures["limit_admitted"] == 10
