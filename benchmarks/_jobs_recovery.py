"""How long a job waits whose worker was killed in the middle of it, while another worker has nothing to do."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ._jobs_counter import Counter
from ._jobs_ours import Place, survive
from ._jobs_worker import WorkerProcess, working

_PATIENCE = 60.0


class Recoveries:
    """Jobs whose workers are dead, by the name of their place."""

    def __init__(self) -> None:
        self.killed: dict[str, tuple[float, Counter, WorkerProcess]] = {}

    def seconds(self) -> dict[str, float]:
        """From each kill until the job began elsewhere; waits for it."""
        found = {}
        for name, (killed, counter, other) in self.killed.items():
            other.wait(counter, 1)
            found[name] = counter.last - killed
        return found


@contextmanager
def recovering(places: Mapping[str, Place], folder: Path) -> Iterator[Recoveries]:
    """Kill a worker of each place in the middle of a job, with the default lease; others are there for the block."""
    with ExitStack() as opened:
        recoveries = Recoveries()
        for name, place in places.items():
            counter, begun = Counter(folder / f"recovery {name}"), folder / f"recovery {name} begun"
            with place.queue() as jobs, working(counter, *place.given) as doomed:
                jobs.enqueue(survive.call(str(begun)))
                _until_there(begun)
                other = opened.enter_context(working(counter, *place.given))
                doomed.kill()
                recoveries.killed[name] = time.monotonic(), counter, other
        yield recoveries


def _until_there(path: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while not path.exists():
        if time.monotonic() > until:
            raise TimeoutError("nobody began the job")
        time.sleep(0.01)
