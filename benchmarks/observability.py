"""What it costs the media library to be watched: its requests a second with everything on, over everything off.

Both under uvicorn in one process each, asked in turns by the same client. On: ids, the access log and every other
record redacted into a file, metrics of each request published to the store, the query log, errors in groups, probes,
and spans sent by OTLP to a receiver, of a share of the requests. Off: none of it, not even the layers, but for the ids,
which are the application's answers' rather than a look at it; ``bare``: without these, too.
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
_SHARE = 0.01
_MAIN = "everything_on"
_OFF = {
    "POSTRMAGIC_LOG__LEVEL": "CRITICAL",
    "POSTRMAGIC_DATABASE__QUERY_LOG": "false",
    "POSTRMAGIC_OBSERVABILITY__METRICS": "false",
    "POSTRMAGIC_OBSERVABILITY__ERRORS": "false",
}
# What is searched, and what one process of all does, is beside the point, on both sides.
_BESIDE = {"POSTRMAGIC_LOG__SEARCH": "false", "POSTRMAGIC_OBSERVABILITY__WATCH": "false"}


def run(bench: Bench) -> None:
    """``everything_on_rate_ratio``; ``traced_…`` with spans of every request, ``untraced_…`` of none.

    ``over_bare_…``: everything on, over an application that has not even ids.
    """
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="watched-")))
        around = environment(folder) | _BESIDE
        for command in ("prepare", "seed"):
            library(command, around)
        receiver = opened.enter_context(_receiving(folder))
        traces = {"POSTRMAGIC_OBSERVABILITY__TRACES": "true", "POSTRMAGIC_OBSERVABILITY__TRACES_ENDPOINT": receiver}
        share = "POSTRMAGIC_OBSERVABILITY__TRACES_SHARE"
        _compared(bench, _MAIN, folder, around, traces | {share: str(_SHARE)})
        if bench.options.quick:
            return
        _compared(bench, "untraced", folder, around, {})
        _compared(bench, "traced", folder, around, traces | {share: "1"})
        _compared(bench, "over_bare", folder, around | {"BARE": "1"}, traces | {share: str(_SHARE)})


def _compared(bench: Bench, name: str, folder: Path, around: dict[str, str], how: dict[str, str]) -> None:
    """Several processes of each side: two that do the same may differ by a twentieth, as memory happened to fall."""
    bench.figure(
        f"{name}_rate_ratio",
        statistics.geometric_mean(
            _ratio(bench, name, folder, around, how) for _ in range(bench.repeats(10 if name == _MAIN else 5, 3))
        ),
    )


def _ratio(bench: Bench, name: str, folder: Path, around: dict[str, str], how: dict[str, str]) -> float:
    """Both sides, one after the other and the other way round: what changes on the machine changes for both."""
    rates: dict[str, list[float]] = {"off": [], name: []}
    seconds = bench.options.duration or 0.4
    with ExitStack() as opened:
        ports = {
            side: opened.enter_context(
                running(
                    UVICORN,
                    folder / f"{side}.log",
                    around | told | {"POSTRMAGIC_LOG__FILE": str(folder / f"{side}-application.log")},
                    app,
                )
            )
            for side, told, app in (
                ("off", _OFF, "benchmarks._observability_off:app"),
                (name, how, "media_library.asgi:app"),
            )
        }
        cookie = logged_in(ports[name])
        for number in range(bench.repeats(8, 4) + 2):
            for side in rates if number % 2 else reversed(rates):
                rate, _ = asked(ports[side], cookie, seconds)
                if number >= 2:
                    rates[side].append(rate)
    return statistics.median(one / other for one, other in zip(rates[name], rates["off"], strict=True))


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
