"""The tokens' benchmark reports what it promises, from few calls."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from benchmarks import tokens
from benchmarks._harness import Bench, Options


@pytest.fixture(autouse=True)
def filters() -> Iterator[None]:
    """A peer's warning is silenced for the process of the benchmark, not for that of the tests."""
    with warnings.catch_warnings():
        yield


class Short(Bench):
    """One round of few calls."""

    def repeats(self, full: int, quick: int) -> int:
        """Always one."""
        return 1


@pytest.mark.soak
@pytest.mark.parametrize("algorithm", tokens.ALGORITHMS)
def test_a_token_is_verified_beside_other_libraries(algorithm: str) -> None:
    """By each that takes such tokens; one that is missing is named."""
    bench = Short(Options(quick=True))
    tokens.validated(bench, algorithm)
    ending = "" if algorithm == tokens.HEADLINE else f".{algorithm.lower()}"
    assert set(bench.figures) == {f"validate_time_ratio{ending}", f"validate_us{ending}"}
    assert all(value > 0 for value in bench.figures.values())
    there = {"verifier", "PyJWT", "joserfc"} | ({"Authlib"} if algorithm != tokens.HEADLINE else set())
    assert bench.comparisons[0].samples.keys() | bench.missing.keys() == there


def test_a_token_is_issued_and_asked_about() -> None:
    """By a server of its own each."""
    bench = Short(Options(quick=True))
    tokens.issued(bench)
    tokens.introspected(bench)
    assert set(bench.figures) == {"token_issue_ms", "introspect_cached_us"}
    assert all(value > 0 for value in bench.figures.values())
