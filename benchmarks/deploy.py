"""How long it takes to deploy a release and to take it back, with how many failed requests, on a real Docker engine.

Full: both reports are made (``tests.containers.report``, ``tests.containers.deploy_report``), which write what they
measured into ``docs/reports``; the figures are theirs. They concern the reference application with its services.
With ``--quick``: the image is built, its packages from pip's cache; the rest is a small application with two replicas
behind HAProxy; the result says so as ``scale``. Where there is no engine and none can be had, it says so and ends with
exit status 2.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from postrmagic_core.deployment import Terms
from tests.containers.deploy_kit import PREFIX, Stage, built, staged
from tests.containers.engine import Engine, NoEngine, engine
from tests.containers.images import obtain

from ._harness import Bench

TAKES: frozenset[str] = frozenset()
ROOT: Final = Path(__file__).parents[1]
_REPORTS: Final = {"containers": "tests.containers.report", "deployment": "tests.containers.deploy_report"}
_PROJECT: Final = "postrmagic-bench-deploy"
_IMAGE: Final = f"{_PROJECT}:image"


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
    """The image's build and size, then the small application: deployed, taken back, and two replicas made four."""
    images = obtain(machine, ["haproxy:2.6"])
    began = time.perf_counter()
    machine.docker("build", "--quiet", "--no-cache", f"--build-arg=PYTHON={images.base}", f"--tag={_IMAGE}", str(ROOT))
    bench.figure("cold_build_s", time.perf_counter() - began)
    size = int(machine.docker("image", "inspect", "--format", "{{.Size}}", _IMAGE))
    machine.docker("image", "rm", _IMAGE)
    bench.figure("image_mb", size / 1e6)
    for kind in ("1", "2"):
        built(machine, images.base, kind)
    with staged(machine, images.variables.get("HAPROXY_IMAGE", "haproxy:2.6"), _PROJECT) as stage:
        stage.up("1", terms=Terms(watch=0))
        with stage.asked(clients=2) as asked:
            bench.figure("deploy_s", stage.up("2", terms=Terms(watch=1.0)).seconds)
            bench.figure("rollback_s", stage.deployment(Terms(watch=0)).rollback().seconds)
        bench.figure("rolling_failed_requests", len(asked.failed))
        bench.figure("scale_2_to_4_rate_ratio", scaled(machine, stage))


def scaled(machine: Engine, stage: Stage) -> float:
    """How many times as many answers four replicas give as two, each of them held to a twentieth of a core."""
    rates = []
    for replicas in (2, 4):
        grown = ("--scale", f"app={replicas}", "app")
        words = ("up", "--detach", "--no-build", "--no-deps", "--no-recreate", "--wait", *grown)
        variables = {**stage.environment, "IMAGE": f"{PREFIX}:1", "RELEASE": "1"}
        machine.docker("compose", *stage.options, *words, **variables)
        for one in stage.replicas("app"):
            machine.docker("update", "--cpus", "0.05", one.id)
        time.sleep(2)  # until the proxy sends requests to each
        with stage.asked(clients=16) as asked:
            time.sleep(4)
        rates.append(asked.count)
    return rates[1] / rates[0]


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
