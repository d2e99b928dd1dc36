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
from concurrent.futures import ThreadPoolExecutor
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
    """The image, built meanwhile; the small application: deployed, taken back, and two replicas made four."""
    images = obtain(machine, ["haproxy:2.6"])
    proxy = images.variables.get("HAPROXY_IMAGE", "haproxy:2.6")
    with ThreadPoolExecutor(1) as aside, staged(machine, proxy, _PROJECT) as stage:
        image = aside.submit(built_cold, machine, images.base)
        for kind in ("1", "2"):
            built(machine, images.base, kind)
        grown(stage)
        with stage.asked(clients=1) as asked:
            bench.figure("deploy_s", stage.up("2", terms=Terms(watch=0.5, at_once=2)).seconds)
            bench.figure("rollback_s", stage.deployment(Terms(watch=0, at_once=2)).rollback().seconds)
        bench.figure("rolling_failed_requests", len(asked.failed))
        seconds, megabytes = image.result()
        bench.figure("cold_build_s", seconds)
        bench.figure("image_mb", megabytes)
        bench.figure("scale_2_to_4_rate_ratio", scaled(machine, stage))


def built_cold(machine: Engine, base: str) -> tuple[float, float]:
    """Seconds that the reference application's image takes without a layer of before, and its megabytes."""
    began = time.perf_counter()
    machine.docker("build", "--quiet", "--no-cache", f"--build-arg=PYTHON={base}", f"--tag={_IMAGE}", str(ROOT))
    seconds = time.perf_counter() - began
    size = int(machine.docker("image", "inspect", "--format", "{{.Size}}", _IMAGE))
    machine.docker("image", "rm", _IMAGE)
    return seconds, size / 1e6


def scaled(machine: Engine, stage: Stage) -> float:
    """How many times as many answers four replicas give as two, each of them held to a tenth of a core."""
    rates = []
    for replicas in (2, 4):
        if replicas == 4:
            grown(stage, f"--scale=app={replicas}", "--no-deps", "--no-recreate", "app")
        for one in stage.replicas("app"):
            machine.docker("update", "--cpus", "0.1", one.id)
        time.sleep(1.0)  # until the proxy sends requests to each
        with stage.asked(clients=16) as asked:
            time.sleep(2)
        rates.append(asked.count)
    return rates[1] / rates[0]


def grown(stage: Stage, *words: str) -> None:
    """What compose starts of release 1, ready."""
    command = ("compose", *stage.options, "up", "--detach", "--no-build", "--wait", *words)
    stage.engine().run(*command, timeout=120, environment={"IMAGE": f"{PREFIX}:1", "RELEASE": "1"})


def reported(bench: Bench) -> None:
    """Make both reports and take their figures."""
    for name, module in _REPORTS.items():
        command = [sys.executable, "-m", module, "--without-guards"]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            raise ValueError(f"the report {name} was not made: see what it said above")
        figures: dict[str, Any] = json.loads((ROOT / "docs" / "reports" / f"{name}.json").read_text(encoding="utf-8"))
        for figure in ("image_mb", "cold_build_s", "rolling_failed_requests", "rollback_s", "scale_2_to_4_rate_ratio"):
            if figure in figures and figure not in bench.figures:
                bench.figure(figure, float(figures[figure]))


if __name__ == "__main__":
    from .__main__ import main

    raise SystemExit(main(["run", "deploy", *sys.argv[1:]]))
