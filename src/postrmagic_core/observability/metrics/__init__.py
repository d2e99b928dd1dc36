"""Metrics of all processes of an application, as Prometheus reads them.

Managers count in plain integers (:mod:`postrmagic_core._metrics`). Each process publishes its snapshot in a store, and
any process tells the sum of all of them at ``/metrics``; of those that ended too, so that no counter goes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazily

if TYPE_CHECKING:
    from .exposition import Exposition
    from .hub import MetricsHub
else:
    __getattr__ = lazily(__name__, {"Exposition": "exposition", "MetricsHub": "hub"})

__all__ = ["Exposition", "MetricsHub"]
