"""Uptime: is it there, since when, and for how much of the month was it?

::

    uptime = Uptime(database, probes=[probe("site", "https://media.example.org/healthz")])
    uptime.run_due()  # every few seconds, by one process
    for status in uptime.status():
        print(status.name, status.up, status.availability_month)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazily

if TYPE_CHECKING:
    from .interface import Check, Hour, Outage, Probe, ProbeStatus
    from .manager import Uptime
    from .targets import probe
else:  # loaded by who probes, and by who looks
    __getattr__ = lazily(
        __name__,
        {
            "Check": "interface",
            "Hour": "interface",
            "Outage": "interface",
            "Probe": "interface",
            "ProbeStatus": "interface",
            "Uptime": "manager",
            "probe": "targets",
        },
    )

__all__ = ["Check", "Hour", "Outage", "Probe", "ProbeStatus", "Uptime", "probe"]
