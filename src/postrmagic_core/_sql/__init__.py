"""Engines over the databases this package speaks: recipe, time-outs, TLS, fork and error mapping.

:func:`open_backend` picks the adapter by URL scheme; column types that mean the same everywhere are in
:mod:`postrmagic_core._sql.types`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._lazy import lazily
from .._metrics import Metrics
from ..registry import DATABASES, Registry
from .interface import Backend, PoolLimits, PoolState, Role, Timeouts

if TYPE_CHECKING:
    from .link import Link, links_of
else:  # SQLAlchemy is loaded by whoever has an engine
    __getattr__ = lazily(__name__, {"Link": "link", "links_of": "link"})

__all__ = ["Backend", "Link", "PoolLimits", "PoolState", "Role", "Timeouts", "links_of", "open_backend"]


def open_backend(
    url: str,
    *,
    pool: PoolLimits = PoolLimits(),  # noqa: B008 - frozen value object
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen value object
    metrics: Metrics | None = None,
    registry: Registry | None = None,
) -> Backend:
    """The backend for ``url``; nothing is connected yet. ``metrics`` gets the histograms of its pools.

    Raises :class:`UnknownScheme`, :class:`MissingExtra`, :class:`PluginRejected`, or :class:`ConfigurationError` when
    the URL itself cannot be used.
    """
    adapter: Any = (registry or Registry()).load(DATABASES, url)
    backend: Backend = adapter.from_url(url, pool=pool, timeouts=timeouts, metrics=metrics or Metrics())
    return backend
