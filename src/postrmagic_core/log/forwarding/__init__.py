"""From the spool to a receiver elsewhere: at least once, in order, one process of the machine.

::

    with Forwarder(spool, shipper_for("syslog+tls://logs.example.com:6514"), name="central", metrics=metrics):
        ...

The spool is the back-pressure: a receiver that is away costs nobody anything until the spool is full, and then what was
removed unread is counted.
"""

from __future__ import annotations

from .forwarder import Forwarder
from .interface import Later, Refused, Shipper
from .urls import name_for, shipper_for

__all__ = ["Forwarder", "Later", "Refused", "Shipper", "name_for", "shipper_for"]
