"""Schemathesis finds nothing: what the document promises, the running application does, on either set of backends."""

from __future__ import annotations

import os
import re
import secrets
import sys
import time
from pathlib import Path

import pytest

from media_library.specification import SPECIFICATION
from postrmagic_core.settings import Settings
from postrmagic_core.testing.capture import embedded_settings
from tests.app.fuzzing.planted import MISTAKES
from tests.app.fuzzing.running import target
from tests.app.house import House

OPERATIONS = {one.name for one in SPECIFICATION.operations}
FIXED = ["--seed", "1", "--generation-deterministic"]
SOAK = float(os.environ.get("POSTRMAGIC_TEST_SCHEMATHESIS_SECONDS", "600"))
# What is found of each operation that a mistake is planted in.
FOUND = {
    "show_stats": "Server error",
    "show_factor": "Undocumented",
    "list_tags": "violates schema",
    "list_devices": "API accepts",
}


@pytest.fixture(params=["embedded", pytest.param("mysql+redis", marks=[pytest.mark.mysql, pytest.mark.redis])])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """SQLite files, or MariaDB and Redis."""
    found = embedded_settings(tmp_path)
    if request.param == "embedded":
        return found
    mysql, redis = request.getfixturevalue("mariadb_url"), request.getfixturevalue("redis_server")
    cache, sessions, jobs = ({"url": redis.create_database()} for _ in range(3))
    jobs["url"] += "?durability=none"  # the tests' server keeps nothing on a disk
    return found.replace(database={"url": mysql}, cache=cache, sessions=sessions, jobs=jobs)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_nothing_is_found(tmp_path: Path) -> None:
    """By every check; each operation is called, and succeeds at least once.

    Other backends, other callers, malformed requests and calls in a row: the slow proof.
    """
    with target(tmp_path, embedded_settings(tmp_path)) as site:
        whole = site.run("administrator", "--phases", "examples,fuzzing", "--max-examples", "1", *FIXED)
        assert whole.code == 0, whole.shown
    assert set(whole.counts) == OPERATIONS
    assert {name for name, by in whole.counts.items() if any(status[0] == "2" for status in by)} == OPERATIONS


@pytest.mark.soak
@pytest.mark.timeout(int(SOAK) + 600)
def test_nothing_is_found_for_long(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In every phase, with a new seed each time, which is printed."""
    until = time.monotonic() + SOAK
    with target(tmp_path, settings) as site:
        while (left := until - time.monotonic()) > 0:
            for caller in ("administrator", "user", "token", "nobody"):
                seed = str(secrets.randbelow(2**32))
                with capsys.disabled():
                    sys.stdout.write(f"\nschemathesis as {caller}, --seed {seed}\n")
                outcome = site.run(caller, "--max-time", str(max(30, int(left / 5))), "--seed", seed)
                assert outcome.code == 0, outcome.shown


def test_a_method_that_is_no_operation_is_answered_by_the_router(house: House) -> None:
    """Whatever it is called; those that are operations stay closed."""
    nobody = house.browser(None)
    for one in SPECIFICATION.operations:
        path = "/api/v1" + re.sub("{[a-z]+}", "1", one.path)
        answer = nobody.request("QUERY", path)
        assert answer.status_code == 405, one.name
        assert one.method in answer.headers["allow"].split(", "), one.name
        assert one.access == "public" or nobody.request(one.method, path).status_code == 401, one.name


@pytest.mark.parametrize("action", ["", "é" * 40, "x" * 65])
def test_an_action_that_no_entry_can_have_is_refused(house: House, action: str) -> None:
    """Found by a soak: what the audit log cannot hold was an error of the server's."""
    answer = house.browser("keeper").get("/api/v1/admin/audit", params={"action": action})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/action"


@pytest.mark.soak
def test_each_planted_mistake_is_found(tmp_path: Path) -> None:
    """An error of the server, a status and an answer that are not declared, a route that asks nobody who they are."""
    paths = {f"{SPECIFICATION.base}{one.path}" for one in SPECIFICATION.operations if one.name in FOUND}
    assert paths == set(MISTAKES)
    only = [option for name in FOUND for option in ("--include-operation-id", name)]
    with target(tmp_path, embedded_settings(tmp_path), app="tests.app.fuzzing.planted:app") as site:
        outcome = site.run("user", "--phases", "coverage", *only, *FIXED)
    assert outcome.code == 1
    assert [told for told in FOUND.values() if told not in outcome.shown] == [], outcome.shown
