"""What probes are answered: whether it is ready, and the figures of all processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .._bridge import Bridge
from .health import Checks, Health

if TYPE_CHECKING:
    from .metrics import MetricsHub


class Answers:
    """What the layer ``probes`` asks; ``about`` is told with the details. Without ``metrics`` there are no figures."""

    def __init__(self, checks: Checks, metrics: Callable[[], MetricsHub] | None, bridge: Bridge, **about: str) -> None:
        self._checks = checks
        self._metrics = metrics
        self._about = {name: value for name, value in about.items() if value}
        self.aio = AsyncAnswers(self, bridge)

    def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether new requests should come here; ``status``, what it is about, and each of ``checks``."""
        report = self._checks.report()
        checks = {name: _told(health) for name, health in report.checks.items()}
        return report.ready, {"status": report.state, **self._about, "checks": checks}

    def scrape(self, accept: str = "") -> tuple[bytes, str] | None:
        """The figures of all processes for Prometheus, and their media type; ``accept`` may ask for OpenMetrics.

        ``None`` where they are not kept.
        """
        return None if self._metrics is None else self._metrics().render(accept)


class AsyncAnswers:
    """The async face of :class:`Answers`."""

    def __init__(self, answers: Answers, bridge: Bridge) -> None:
        self._answers = answers
        self._bridge = bridge

    async def readiness(self) -> tuple[bool, Mapping[str, Any]]:
        """See :meth:`Answers.readiness`."""
        return await self._bridge.lift(self._answers.readiness)

    async def scrape(self, accept: str = "") -> tuple[bytes, str] | None:
        """See :meth:`Answers.scrape`."""
        return await self._bridge.lift(lambda: self._answers.scrape(accept))


def _told(health: Health) -> dict[str, Any]:
    told: dict[str, Any] = {"ok": health.ok, "ms": round(health.seconds * 1000, 1)}
    return told | {"error": health.error} if health.error else told
