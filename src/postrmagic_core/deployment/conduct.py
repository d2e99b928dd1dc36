"""How a deployment is told of, timed and interrupted."""

from __future__ import annotations

from .._clock import Clock
from ..errors import DeployFailed
from .interface import Report, Said


class Conduct:
    """Shared by all parts of one deployment; :meth:`stop` may be called by a signal's handler or another thread."""

    def __init__(self, report: Report, clock: Clock) -> None:
        self._report = report
        self.clock = clock
        self._began = clock.monotonic()
        self._stopped = False

    def say(self, step: str, text: str) -> None:
        """Tell what happens."""
        self._report(Said(step, text, self.seconds()))

    def seconds(self) -> float:
        """Since the deployment began."""
        return self.clock.monotonic() - self._began

    def stop(self) -> None:
        """Have the deployment end at its next step."""
        self._stopped = True

    def resume(self) -> None:
        """Forget an interrupt that is being obeyed: what rolls back must not end at its first step."""
        self._stopped = False

    def check(self) -> None:
        """Raise :class:`DeployFailed` where somebody has interrupted."""
        if self._stopped:
            raise DeployFailed("the deployment was interrupted")

    def pause(self, seconds: float) -> None:
        """Wait between two looks."""
        self.check()
        self.clock.sleep(seconds)
        self.check()
