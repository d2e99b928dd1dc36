"""Alerts: rules over figures, logs, errors and uptime, and who is told when one of them is broken.

``Alerts`` evaluates rules and keeps in the database what each has found, so that any process goes on where another one
ended. What is to be told goes through the outbox to channels: e-mail, webhook, Slack.

::

    slow = Threshold("answers are slow", metric("response_p95"), above=1.0, for_=300)
    alerts = Alerts(database, rules=[slow], sources=sources, channels={"ops": channel_for("ops", url)})
    alerts.evaluate()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazily

if TYPE_CHECKING:
    from .channels import channel_for
    from .interface import Alert, AlertChannel, Notification, Reading, Silence
    from .manager import Alerts
    from .rules import Absence, RateOfChange, Threshold, metric
    from .sources import Sources
else:  # the manager is loaded by who evaluates or looks
    __getattr__ = lazily(
        __name__,
        {
            "Absence": "rules",
            "Alert": "interface",
            "AlertChannel": "interface",
            "Alerts": "manager",
            "Notification": "interface",
            "RateOfChange": "rules",
            "Reading": "interface",
            "Silence": "interface",
            "Sources": "sources",
            "Threshold": "rules",
            "channel_for": "channels",
            "metric": "rules",
        },
    )

__all__ = [
    "Absence",
    "Alert",
    "AlertChannel",
    "Alerts",
    "Notification",
    "RateOfChange",
    "Reading",
    "Silence",
    "Sources",
    "Threshold",
    "channel_for",
    "metric",
]
