"""How long it takes to deploy a release and to take it back, with how many failed requests, on a real Docker engine.

Full: both reports are made (``tests.containers.report``, ``tests.containers.deploy_report``), which write what they
measured into ``docs/reports``; the figures are theirs. They concern the reference application with its services.
With ``--quick``: a small application with two replicas behind HAProxy, deployed and rolled back once under load; the
result says so as ``scale``. Where there is no engine and none can be had, it says so and ends with exit status 2.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from postrmagic_core.deployment import Terms
from postrmagic_core.errors import DeployFailed
from tests.containers.deploy_kit import built, staged
from tests.containers.engine import Engine, NoEngine, engine
from tests.containers.images import obtain

from ._harness import Bench

TAKES: frozenset[str] = frozenset()
ROOT: Final = Path(__file__).parents[1]
_REPORTS: Final = {"containers": "tests.containers.report", "deployment": "tests.containers.deploy_report"}
_PROJECT: Final = "postrmagic-bench-deploy"


def run(bench: Bench) -> None:
    """Report every figure."""
    if not bench.options.quick:
        reported(bench)
        return
    bench.scaled(100, 1)
    try:
        with engine() as machine:
            small(bench, machine)
    except NoEngine as error:
        raise ValueError(str(error)) from None


def small(bench: Bench, machine: Engine) -> None:
    """``deploy_s``, ``rollback_s``, ``recovery_s`` from a release that fails, and ``rolling_failed_requests``."""
    images = obtain(machine, ["haproxy:2.6"])
    for kind, fault in (("1", "none"), ("2", "none"), ("crash", "crash")):
        built(machine, images.base, kind, FAULT=fault)
    terms = Terms(watch=1.0)
    with staged(machine, images.variables.get("HAPROXY_IMAGE", "haproxy:2.6"), _PROJECT) as stage:
        stage.up("1", terms=Terms(watch=0))
        with stage.asked(clients=2) as asked:
            bench.figure("deploy_s", stage.up("2", terms=terms).seconds)
            bench.figure("rollback_s", stage.deployment(Terms(watch=0)).rollback().seconds)
            began = time.perf_counter()
            try:
                stage.up("3", "crash", terms=terms)
            except DeployFailed:
                bench.figure("recovery_s", time.perf_counter() - began)
        bench.figure("rolling_failed_requests", len(asked.failed))


def reported(bench: Bench) -> None:
    """Make both reports and take their figures."""
    for name, module in _REPORTS.items():
        options = ["--without-guards"] if name == "deployment" else []
        if subprocess.run([sys.executable, "-m", module, *options], cwd=ROOT, check=False).returncode:
            raise ValueError(f"the report {name} was not made: see what it said above")
        figures: dict[str, Any] = json.loads((ROOT / "docs" / "reports" / f"{name}.json").read_text(encoding="utf-8"))
        for figure in ("image_mb", "cold_build_s", "rolling_failed_requests", "rollback_s", "scale_2_to_4_rate_ratio"):
            if figure in figures and figure not in bench.figures:
                bench.figure(figure, float(figures[figure]))


if __name__ == "__main__":
    from .__main__ import main

    raise SystemExit(main(["run", "deploy", *sys.argv[1:]]))
