"""Replicas behind the proxy: requests are served through changes of their number and of their release."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.containers.conftest import build
from tests.containers.engine import ROOT, Engine, told
from tests.containers.images import Images
from tests.containers.load import Account, asked, load, uploaded
from tests.containers.project import APP, Project, until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]
# Of one processor, for each replica while rates are compared: so that processors are what four have more of than two,
# also where this machine has but two, and the clients, the proxy and the database need theirs.
FRACTION = 0.2
PERIOD = 15.0


def test_what_a_user_does(project: Project, token: str, measured: dict[str, Any]) -> None:
    """Given the project, when a user uploads through the proxy, then a worker elsewhere makes the thumbnail."""
    told("a user's round through the proxy")
    (medium,) = uploaded(project.address, token, 1)
    path = f"/api/v1/media/{medium}"
    ready = until(lambda: asked(project.address, f"{path}/thumbnail", token) == 200, "a thumbnail", timeout=120)
    assert asked(project.address, f"{path}/file", token) == 200
    assert asked(project.address, path) == 401
    assert asked(project.address, "/metrics") in {401, 403, 404}
    measured["smoke"] = {"thumbnail_s": round(ready, 2)}


def test_the_main_job(project: Project, token: str) -> None:
    """Given the project, when users and attackers do what they do, then each step of the smoke run succeeds.

    So it does once more: a site is tried after each deployment.
    """
    told("the smoke run through the proxy, twice")
    command = [sys.executable, "-m", "media_library", "smoke", "--url", project.address]
    for _ in range(2):
        done = project.engine.run(command, cwd=ROOT / "examples", timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_reaches_application_and_proxy(project: Project, token: str) -> None:
    """Given the project, then Prometheus has figures of both; the application's are of all replicas together."""
    query = ("promtool", "query", "instant", "http://127.0.0.1:9090")
    until(
        lambda: project.inside("prometheus", *query, "count(up{job=~'.*'} == 1) >= 2"),
        "two targets that are up",
        timeout=90,
    )


def test_four_replicas_do_more_than_two(project: Project, token: str, measured: dict[str, Any]) -> None:
    """Given load that two replicas cannot meet, when there are four, then the rate rises, and no request failed."""
    told("two replicas, then four, under load")
    try:
        with load(project.address, token=token, clients=16, writes=0.05) as account:
            _limited(project, FRACTION)
            two = _period()
            took = project.scaled(4)
            _limited(project, FRACTION)
            four = _period()
    finally:
        project.scaled(2)
        _limited(project, 1.0)
    rates = [account.between(*period).rate(PERIOD) for period in (two, four)]
    latencies = [account.between(*period).latency(95) for period in (two, four)]
    measured["scaling"] = {
        "fraction_of_a_core": FRACTION,
        "clients": 16,
        "rate_of_2": round(rates[0], 1),
        "rate_of_4": round(rates[1], 1),
        "scale_2_to_4_rate_ratio": round(rates[1] / rates[0], 2),
        "p95_of_2_ms": round(1000 * latencies[0]),
        "p95_of_4_ms": round(1000 * latencies[1]),
        "until_4_serve_s": round(took, 1),
        **_counted(account),
    }
    assert not account.failed(), f"{account.told()}\n{project.seen()}"
    assert not account.refused(), account.told()
    assert rates[1] > 1.3 * rates[0], f"{rates[0]:.0f} and {rates[1]:.0f} a second"


def _period() -> tuple[float, float]:
    time.sleep(3)
    began = time.time()
    time.sleep(PERIOD)
    return began, began + PERIOD


def _limited(project: Project, cpus: float) -> None:
    project.engine.docker("update", f"--cpus={cpus}", *project.containers("app"))


def test_a_rolling_restart_fails_no_request(
    project: Project, machine: Engine, images: Images, token: str, measured: dict[str, Any]
) -> None:
    """Given traffic, when every replica and worker is replaced by another release, then not one request fails."""
    told("rolling to another release under load")
    following = f"{project.environment['IMAGE'].partition(':')[0]}:2"
    build(machine, images, following, release="2")
    try:
        with load(project.address, token=token, clients=8, writes=0.1, uploads=0.01) as account:
            time.sleep(2)
            began = time.monotonic()
            deployed(project, "--release=2", f"--image={following}")
            took = time.monotonic() - began
            time.sleep(2)
        running = {
            machine.docker("inspect", "--format", "{{.Config.Image}}", one)
            for service in ("app", "worker", "relay")
            for one in project.containers(service)
        }
    finally:
        deployed(project, "--release=1", f"--image={project.environment['IMAGE']}")
    measured["rolling"] = {
        "seconds": round(took, 1),
        "rolling_failed_requests": len(account.failed()),
        **_counted(account),
    }
    assert running == {following}
    assert len(account.requests) > 100, account.told()
    assert not account.failed(), f"{account.told()}\n{project.seen()}"
    assert not account.refused(), account.told()


_POSTRMAGIC = """from postrmagic_core.testing.faults import apply_from_environment
apply_from_environment()
from postrmagic_core.cli import main
main()
"""


def deployed(project: Project, *options: str) -> None:
    """``postrmagic deploy up``, as an operator or a CI runner does it; without the guard that is taken out, if any."""
    command = [sys.executable, "-c", _POSTRMAGIC, "deploy", "up", *options, "--yes", "--watch=2"]
    command += [f"--project={project.name}", f"--file={ROOT / 'compose.yaml'}", "--profile=production"]
    done = project.engine.run(command, timeout=600, **project.environment)
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"


ADDITIVE = '''"""A note to each medium."""

import sqlalchemy as sa
from alembic import op

revision = "20990101000000"
down_revision = "{last}"


def upgrade() -> None:
    op.add_column("media", sa.Column("note", sa.String(200), nullable=True))


def downgrade() -> None:
    op.drop_column("media", "note")
'''


def test_a_migration_under_traffic_fails_no_request(
    project: Project, machine: Engine, token: str, tmp_path: Path, measured: dict[str, Any]
) -> None:
    """Given traffic, when a revision of the next release adds a column, then no request of the running one fails."""
    told("a migration under load")
    following = f"{project.environment['IMAGE'].partition(':')[0]}:3"
    last = max(path.name for path in (ROOT / "examples/media_library/migrations/versions").glob("*.py")).partition("_")[
        0
    ]
    (tmp_path / "note.py").write_text(ADDITIVE.format(last=last), encoding="utf-8")
    place = "/srv/media_library/migrations/versions/20990101000000_note.py"
    (tmp_path / "Dockerfile").write_text(f"FROM {project.environment['IMAGE']}\nCOPY note.py {place}\n")
    machine.docker("build", "--quiet", f"--tag={following}", str(tmp_path))
    with load(project.address, token=token, clients=8, writes=0.2, uploads=0.01) as account:
        time.sleep(2)
        began = time.monotonic()
        said = project.once("postrmagic", "db", "upgrade", "--compatible", *APP, image=following)
        took = time.monotonic() - began
        time.sleep(3)
    columns = project.queried("SELECT column_name FROM information_schema.columns WHERE table_name = 'media'")
    measured["migration"] = {"seconds": round(took, 1), **_counted(account)}
    assert ["note"] in columns, said
    assert not account.failed(), f"{account.told()}\n{project.seen()}"
    assert not account.refused(), account.told()
    project.once("postrmagic", "db", "downgrade", last, "--yes", *APP, image=following)


def _counted(account: Account) -> dict[str, int]:
    return {"requests": len(account.requests), "failed": len(account.failed())}
