"""One file per kind of output."""

from __future__ import annotations

from ...registry import LOG_SINKS, Registry
from ..interface import Sink

__all__ = ["open_sink"]


def open_sink(url: str, *, registry: Registry | None = None) -> Sink:
    """The sink that ``url`` names: ``file:///absolute/path.log``, or one of an installed package's.

    It is open, as the thread that writes expects it; who opened it closes it, :func:`.configure` does. Raises what
    :meth:`Registry.load` raises, :class:`ConfigurationError` for a URL that its sink does not understand, and
    :class:`OSError` where the place refuses.
    """
    sink: Sink = (registry or Registry()).load(LOG_SINKS, url).from_url(url)
    return sink
