"""What it costs the media library to be watched: its requests a second with everything on, over everything off.

Both under uvicorn in one process each, asked in turns by the same client. On: ids, the access log and every other
record redacted into a file, metrics of each request published to the store, the query log, errors in groups, probes,
and spans sent by OTLP to a receiver, of a share of the requests. Off: none of it, not even the layers.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from postrmagic_core.testing._children import until_listening
from postrmagic_core.testing.servers import free_port

from ._harness import Bench
from ._middleware_served import UVICORN, asked, environment, library, logged_in, running

TAKES: frozenset[str] = frozenset({"duration"})
_ROOT = Path(__file__).parents[1]
_SHARE = 0.05
_OFF = {
    "POSTRMAGIC_LOG__LEVEL": "CRITICAL",
    "POSTRMAGIC_DATABASE__QUERY_LOG": "false",
    "POSTRMAGIC_OBSERVABILITY__METRICS": "false",
    "POSTRMAGIC_OBSERVABILITY__ERRORS": "false",
}


def run(bench: Bench) -> None:
    """``everything_on_rate_ratio``; ``traced_…`` with spans of every request, ``untraced_…`` of none."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="watched-")))
        around = environment(folder)
        for command in ("prepare", "seed"):
            library(command, around)
        receiver = {"POSTRMAGIC_OBSERVABILITY__TRACES_ENDPOINT": opened.enter_context(_receiving(folder))}
        traces = receiver | {"POSTRMAGIC_OBSERVABILITY__TRACES": "true"}
        sides = {
            "off": _OFF,
            "untraced": {},
            "on": traces | {"POSTRMAGIC_OBSERVABILITY__TRACES_SHARE": str(_SHARE)},
            "traced": traces | {"POSTRMAGIC_OBSERVABILITY__TRACES_SHARE": "1"},
        }
        ports = {
            name: opened.enter_context(
                running(
                    UVICORN,
                    folder / f"{name}.log",
                    around | how | {"POSTRMAGIC_LOG__FILE": str(folder / f"{name}-application.log")},
                    "benchmarks._observability_off:app" if name == "off" else "media_library.asgi:app",
                )
            )
            for name, how in sides.items()
        }
        rates = _asked_in_turns(bench, ports, logged_in(ports["on"]))
    for name, figure in (("on", "everything_on"), ("untraced", "untraced"), ("traced", "traced")):
        pairs = [one / other for one, other in zip(rates[name], rates["off"], strict=True)]
        bench.figure(f"{figure}_rate_ratio", statistics.median(pairs))
    bench.figure("off_rate", statistics.median(rates["off"]))


def _asked_in_turns(bench: Bench, ports: dict[str, int], cookie: str) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {name: [] for name in ports}
    seconds = bench.options.duration or (0.5 if bench.options.quick else 2.0)
    for number in range(bench.repeats(12, 5) + 1):
        names = list(ports)
        for name in names if number % 2 else reversed(names):
            rate, _ = asked(ports[name], cookie, seconds)
            if number > 0:
                rates[name].append(rate)
    return rates


@contextmanager
def _receiving(folder: Path) -> Iterator[str]:
    """The address of a receiver in a process of its own, which takes spans and forgets them."""
    port = free_port()
    with (folder / "receiver.log").open("wb") as log:
        argv = [sys.executable, "-m", "benchmarks._observability_receiver", str(port)]
        process = subprocess.Popen(argv, cwd=_ROOT, stdout=log, stderr=log)
        try:
            until_listening(process, port, folder / "receiver.log", 30.0)
            yield f"http://127.0.0.1:{port}/v1/traces"
        finally:
            process.terminate()
            process.wait(10)


if __name__ == "__main__":
    from .__main__ import main

    raise SystemExit(main(["run", "observability", *sys.argv[1:]]))
