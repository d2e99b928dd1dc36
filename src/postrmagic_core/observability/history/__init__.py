"""History: what the figures of all processes came to, as series over time that outlive the processes.

::

    history.sample()  # every 15 seconds, by one process
    history.range(["response_p95"], since, until)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazily

if TYPE_CHECKING:
    from .interface import Route, Series
    from .manager import History
    from .series import SERIES
else:  # the sampler is loaded by the process that samples, the rest by who looks
    __getattr__ = lazily(
        __name__, {"History": "manager", "Route": "interface", "SERIES": "series", "Series": "interface"}
    )

__all__ = ["History", "Route", "SERIES", "Series"]
