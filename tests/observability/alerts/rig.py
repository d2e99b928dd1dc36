"""A place whose values tests set, and alerts that watch it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from postrmagic_core.database import DatabaseManager
from postrmagic_core.observability.alerts import Alerts, Reading, Threshold
from postrmagic_core.observability.alerts.channels.memory import MemoryChannel
from postrmagic_core.observability.alerts.rules import Rule
from postrmagic_core.testing import FakeClock

EVERY = 15.0


class Place:
    """A source: its ``values`` by host, or ``error``."""

    def __init__(self, **values: float | None) -> None:
        self.values: dict[str, float | None] = dict(values)
        self.error: Exception | None = None

    def __call__(self) -> list[Reading]:
        """The readings now."""
        if self.error is not None:
            raise self.error
        return [Reading({"host": host}, value) for host, value in self.values.items()]


def full(place: Place, **how: Any) -> Threshold:
    """A rule that is broken where a value is above 1."""
    return Threshold("full", place, above=1.0, summary="{host} is full: {value}", **how)


class Watch:
    """Alerts on a clock, with channels that keep what they are given."""

    def __init__(
        self,
        database: DatabaseManager,
        clock: FakeClock,
        *rules: Rule,
        channels: Mapping[str, MemoryChannel] | None = None,
    ) -> None:
        self.clock = clock
        self.mail = MemoryChannel()
        self.channels = {"mail": self.mail} if channels is None else dict(channels)
        self.alerts = Alerts(database, rules=rules, channels=self.channels, clock=clock)

    def look(self, times: int = 1) -> None:
        """Evaluate, and tell, every fifteen seconds."""
        for _ in range(times):
            self.alerts.evaluate()
            self.alerts.send()
            self.clock.advance(EVERY)

    def states(self) -> dict[str, str]:
        """What fires or may soon, by host."""
        return {alert.labels.get("host", ""): alert.state for alert in self.alerts.current()}

    def told(self, channel: str = "mail") -> list[tuple[str, int]]:
        """What a channel was given: kinds, and how many alerts in each."""
        return [(one.kind, len(one.alerts)) for one in self.channels[channel].told]
