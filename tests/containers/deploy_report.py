"""The report on deployments: ``python -m tests.containers.deploy_report``, behind ``make deploy-test``.

It runs the tests of deployments on a real engine and, if all pass, takes out each safeguard in turn, whose test must
turn red. Then it writes what was measured: ``docs/reports/deployment.md`` and, for programs, ``deployment.json``.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from typing import Any

from tests.containers.engine import ROOT
from tests.containers.proving import proved, shown

TARGET = ROOT / "docs" / "reports" / "deployment.md"
TESTS = ["tests/containers/test_deploy.py", "tests/containers/test_deploy_faults.py"]
GUARDS = "tests/containers/deploy_guards.toml"
BAD = {
    "never": "never is ready",
    "crashes": "crashes at its start",
    "errors": "is healthy, and fails three of ten requests",
}


def main() -> int:
    """Exit status 0 if everything passed and the report is written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without-guards", action="store_true", help="do not take safeguards out")
    guards = None if parser.parse_args().without_guards else GUARDS
    found = proved(TESTS, guards)
    TARGET.write_text(report(found, guards), encoding="utf-8")
    figures = json.dumps(figured(found), indent=1, sort_keys=True)
    TARGET.with_suffix(".json").write_text(figures + "\n", encoding="utf-8")
    return 0


def figured(measured: dict[str, Any]) -> dict[str, float]:
    """What benchmarks and dashboards of the project compare."""
    return {
        "rolling_failed_requests": measured["deploy"]["failed"],
        "deploy_s": round(measured["deploy"]["seconds"], 1),
        "rollback_s": round(measured["rollback"]["seconds"], 1),
        "rollback_failed_requests": measured["rollback"]["failed"],
        **{f"recovery_{fault}_s": round(measured[fault]["recovery_s"], 1) for fault in BAD},
    }


def report(measured: dict[str, Any], guards: str | None) -> str:
    """The page."""
    good, back, refused, where = (measured[name] for name in ("deploy", "rollback", "contracts", "engine"))
    rows = [
        _row("a release with an expanding revision", "deployed", good),
        f"| one whose revision drops a column in use | refused | | | {refused['seconds']:.1f} s | |",
        *(_bad(words, measured[name]) for name, words in BAD.items()),
        _row("the release before, by hand", "rolled back", back),
    ]
    return _PAGE.format(
        engine=where["version"],
        cores=where["cores"],
        python=platform.python_version(),
        rows="\n".join(rows),
        retried=good["retried_at_the_proxy"],
        requests=f"{good['requests']:,}",
        guards=shown(guards, "gate, proxy's word, error rate, drain, rollback, database, lock"),
    )


def _row(what: str, ending: str, found: dict[str, Any], besides: str = "", seen: str = "") -> str:
    counts = f"{found['requests']:,} | {found['failed']} | {found['seconds']:.1f} s{besides}"
    return f"| {what} | {ending} | {counts} | {seen} |"


def _bad(words: str, found: dict[str, Any]) -> str:
    seen = f"{found['users_saw_it_s']:.1f} s" if found["failed"] else "not at all"
    besides = f", of which {found['recovery_s']:.1f} s to recover"
    return _row(f"one that {words}", "rolled back", found, besides, seen)


_PAGE = """# Deployment: report

Made by `make deploy-test` on a machine of this class: Linux, {cores} cores, Docker {engine}, the deployer on
CPython {python}.

The reference application runs as `compose.yaml` says: two web processes behind HAProxy, worker, relay, MariaDB,
Redis. Four clients ask without a pause, a tenth of their requests changes something, and none is repeated.
Meanwhile releases are deployed.

| what is deployed | came out as | requests | failed | took | users saw it |
|---|---|---|---|---|---|
{rows}

“To recover” is the time from the verdict to the end of rolling back. Rolling back by hand is the whole command.

During the good deployment of {requests} requests, the proxy tried {retried} connections at another replica. It takes
an address for up as soon as its name server knows it, as its log shows, and a replica that does not listen yet
refuses. No request that reached a replica was repeated.

## What else is tested

Each with a small application on the same engine, in `tests/containers/test_deploy_faults.py`:

| what | what comes of it |
|---|---|
| the deployer is killed at each of its steps | the same command again deploys; a rollback by hand rolls back |
| SIGINT, SIGTERM | rolled back; a second one ends it, and says what stands |
| two deployers; a lock that is left over | the second is told who deploys; `deploy unlock` |
| the engine goes away half-way; its disk is full | what stands and what to run is said; rolled back |
| an image that is not there; a first release that fails | refused; none of its replicas stays |
| healthy by Docker, unknown to the proxy; statistics that cannot be read | rolled back |
| ready, and dead a moment later; a crash loop | rolled back, with the last lines of its log |
| nobody asks the new replicas | deployed, and said that nothing is known of them |
| scaled by hand before | as many replicas as there were |
| rolled back, and that rolled back | the release runs that was rolled back from |

{guards}
"""


if __name__ == "__main__":
    sys.exit(main())
