"""The report on containers: ``python -m tests.containers.report``, behind ``make container-test``.

It builds the image with no cache, runs the tests of containers on a real engine and, if all pass, takes out each
safeguard in turn, whose test must turn red. Then it writes what was measured: ``docs/reports/containers.md`` and, for
programs, ``containers.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from tests.containers.engine import ROOT
from tests.containers.proving import proved, shown

TARGET = ROOT / "docs" / "reports" / "containers.md"
TESTS = [f"tests/containers/test_{name}.py" for name in ("image", "scaling", "faults", "secrets")]
GUARDS = "tests/containers/guards.toml"


def main() -> int:
    """Exit status 0 if everything passed and the report is written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warm", action="store_true", help="build from the cache: no report, only the tests")
    parser.add_argument("--without-guards", action="store_true", help="do not take safeguards out")
    options = parser.parse_args()
    if options.warm:
        proved(TESTS, None, ["--capture=sys"])
        return 0
    guards = None if options.without_guards else GUARDS
    written(proved(TESTS, guards, ["--capture=sys"], CONTAINER_COLD="1"), guards)
    return 0


def written(measured: dict[str, Any], guards: str | None) -> None:
    """Write both files."""
    TARGET.write_text(report(measured, guards), encoding="utf-8")
    figures = json.dumps(figured(measured), indent=1, sort_keys=True)
    TARGET.with_suffix(".json").write_text(figures + "\n", encoding="utf-8")


def figured(measured: dict[str, Any]) -> dict[str, float]:
    """What benchmarks of the project compare."""
    return {
        "image_mb": measured["build"]["image_mb"],
        "cold_build_s": measured["build"]["cold_s"],
        "again_build_s": measured["build"]["again_s"],
        "scale_2_to_4_rate_ratio": measured["scaling"]["scale_2_to_4_rate_ratio"],
        "rolling_failed_requests": measured["rolling"]["failed"],
        "failed_reads_when_killed": measured["replica killed"]["failed_reads"],
        "migration_failed_requests": measured["migration"]["failed"],
        "thumbnails_lost": measured["worker killed"]["uploads"] - measured["worker killed"]["thumbnails"],
        "secrets_found": measured["secrets"]["found"],
    }


def report(measured: dict[str, Any], guards: str | None) -> str:
    """The page."""
    parts = {name.replace(" ", "_"): value for name, value in measured.items()}
    return _PAGE.format(
        **parts,
        origin=_origin(measured),
        packages=_packages(measured),
        events=_events(measured),
        guards=shown(guards, "health gate, drain, grace, lease of jobs"),
    )


def _origin(measured: dict[str, Any]) -> str:
    images = measured["images"]
    rows = [f"| `{name}` | pulled |" for name in images["pulled"]]
    rows += [f"| `{name}` | was there |" for name in images["there"]]
    rows += [
        f"| `{name}` | stood in for by `{made}`, made of Debian's packages |" for name, made in images["made"].items()
    ]
    rows += [f"| `{name}` | **not run**: checked by `docker compose config` only |" for name in images["not run"]]
    return "\n".join(rows)


def _packages(measured: dict[str, Any]) -> str:
    fetched = (
        "packages fetched from the index"
        if measured["build"]["packages_from_index"]
        else "packages as the engine had them"
    )
    return f"{fetched}, {measured['engine']['cores']} cores"


def _events(measured: dict[str, Any]) -> str:
    scaling, rolling, migration = (measured[name] for name in ("scaling", "rolling", "migration"))
    killed, worker, away = (measured[name] for name in ("replica killed", "worker killed", "database away"))
    rows = [
        ("two replicas become four", scaling, f"{scaling['until_4_serve_s']} s until all serve"),
        ("web, worker and relay replaced by another release, one by one", rolling, f"{rolling['seconds']} s"),
        ("a revision adds a column", migration, f"{migration['seconds']} s"),
    ]
    lines = [f"| {what} | {one['requests']:,} | {one['failed']} | {besides} |" for what, one, besides in rows]
    lines += [
        f"| one of two replicas is killed (SIGKILL) | {killed['requests']:,} | {killed['failed_reads']} reads, "
        f"{killed['failed_writes']} writes | {killed['serves_again_s']} s until it was started and serves |",
        f"| the worker is killed {worker['kills']} times at its jobs | {worker['uploads']} uploads | "
        f"{worker['uploads'] - worker['thumbnails']} of {worker['jobs']} jobs lost | "
        f"{worker['all_done_after_s']} s after the last kill all are done |",
        f"| the database stops for {away['away_s']} s | {away['requests_after']:,} afterwards | "
        f"{away['failed_after']} afterwards ({away['failed_meanwhile']} meanwhile) | "
        f"{away['ready_again_s']} s from its start until all serve |",
    ]
    return "\n".join(lines)


_PAGE = """# Containers: report

Made by `make container-test` on a machine of this class: Linux, {engine[cores]} cores, Docker {engine[version]}.
Times do not carry over to other machines; counts of failed requests must.

The reference application runs as `compose.yaml` says, in its production profile: HAProxy, two web processes, worker,
relay, MariaDB, Redis, Prometheus, Alertmanager. An account of requests is kept by a process of its own, whose clients
ask without a pause and repeat nothing; up to a fifth of their requests changes something.

## The image

| | |
|---|---|
| built with no cache | {build[cold_s]} s ({packages}) |
| built again, nothing changed | {build[again_s]} s |
| size | {build[image_mb]} MB, of which {build[base_mb]} MB are the base |
| user | 10001, without capabilities, on a file system that it cannot write; `/data` and `/tmp` alone are written |
| left out | compilers, package caches, tests; nothing that `.dockerignore` does not name |
| modules | compiled |

## Under load

| what happens | requests | failed | took |
|---|---|---|---|
{events}

Of the uploads that were acknowledged, none is missing in the database after any of this.

Two replicas answered {scaling[rate_of_2]} requests a second (95 % within {scaling[p95_of_2_ms]} ms), four
{scaling[rate_of_4]} ({scaling[p95_of_4_ms]} ms): {scaling[scale_2_to_4_rate_ratio]} times as many. For this each
replica was limited to {scaling[fraction_of_a_core]} of a core, so that this machine's cores, which clients, proxy and
database share, were not the limit.

A thumbnail was there {smoke[thumbnail_s]} s after its upload through the proxy.

{guards}

## Secrets

{secrets[values]} values, a user's token among them, were looked for in every layer and step of the image, in the logs
of all containers since their start, in what the engine tells of each container, and in the command line and the
environment of each of their processes: found {secrets[found]} times. A secret that lay beside the sources while the
image was built is not in it.

## Where the images come from

| image | here |
|---|---|
{origin}
"""


if __name__ == "__main__":
    sys.exit(main())
