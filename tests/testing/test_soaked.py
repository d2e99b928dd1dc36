"""Which cases go to the soak."""

from __future__ import annotations

from tests.soaked import CASES, HERE, named, repeated

WAITING = "tests/jobs/test_waiting.py::test_it"


def test_the_cases_on_a_server_go_where_another_stays() -> None:
    """Given cases on SQLite and on servers, those on servers go; alone, or of another file, they stay."""
    assert repeated([f"{WAITING}[sqlite]", f"{WAITING}[mariadb]", f"{WAITING}[a-redis]"], frozenset()) == {
        f"{WAITING}[mariadb]",
        f"{WAITING}[a-redis]",
    }
    assert repeated([f"{WAITING}[mariadb]", f"{WAITING}[redis]"], frozenset()) == set()
    assert (
        repeated(
            ["tests/jobs/test_races.py::test_it[sqlite]", "tests/jobs/test_races.py::test_it[mariadb]"], frozenset()
        )
        == set()
    )


def test_a_test_that_a_table_names_keeps_its_cases() -> None:
    """Given the test's name, or its class's, in a table, no case of it goes."""
    cases = [f"{WAITING}[sqlite]", f"{WAITING}[mariadb]"]
    assert repeated(cases, frozenset({WAITING})) == set()
    leaks = "tests/cache/test_reliability.py::TestCache::test_p8_nothing_leaks"
    assert repeated([leaks], frozenset()) == {leaks}
    assert repeated([leaks], frozenset({leaks.rpartition("::")[0]})) == set()
    assert len(named()) > 200


def test_every_file_is_there() -> None:
    """A file that was moved would have its cases in CI again."""
    assert [file for file in CASES if not (HERE / file).is_file()] == []
