"""Search in what was logged, on this machine: one process collects the spool into an index, any process looks.

::

    with Collector(data / "logs" / "spool", data / "logs" / "index", days=14, max_bytes=2**30, metrics=metrics):
        ...
    for record in LogIndex(data / "logs" / "index").search('level>=warning "timed out" since:1h').records:
        print(record["ts"], record["event"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazily

if TYPE_CHECKING:
    from .collector import Collector
    from .interface import Branch, Message, Page, Stats, Story, Tail
    from .manager import LogIndex
else:  # a process that only logs loads none of it
    __getattr__ = lazily(
        __name__,
        {
            "Branch": "interface",
            "Collector": "collector",
            "LogIndex": "manager",
            "Message": "interface",
            "Page": "interface",
            "Stats": "interface",
            "Story": "interface",
            "Tail": "interface",
        },
    )

__all__ = ["Branch", "Collector", "LogIndex", "Message", "Page", "Stats", "Story", "Tail"]
