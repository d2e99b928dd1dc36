"""The figures that a sample is made of: those that the processes publish, and those of queues and tables."""

from __future__ import annotations

from collections.abc import Callable

from ..._metrics import Metrics
from ..metrics.policy import Totals, put_gauge


def everything(everybody: Callable[[], Totals], metrics: Metrics) -> Callable[[], Totals]:
    """What ``everybody`` tells, and with it what every process would tell alike: of queues and of the outbox.

    ``everybody``: :meth:`MetricsHub.everybody`. The latter costs the database a look each time it is called.
    """

    def read() -> Totals:
        found = everybody()
        for name, labels, value in metrics.shared():
            put_gauge(found, (name, labels), value)
        return found

    return read
