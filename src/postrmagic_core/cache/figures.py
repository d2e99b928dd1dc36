"""What the caches of all processes did, and what their entries take: for ``postrmagic cache stats``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from .. import _window
from .._lifecycle import Lifecycle
from .._metrics import Metrics
from ..stores.interface import Store, SupportsUsage, Usage
from .interface import CacheStats
from .names import CacheKeys
from .tally import Tally


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """The counters of one process, by namespace; ``command`` is what it was started as."""

    pid: int
    command: str
    namespaces: dict[str, CacheStats]


class CacheWindow(Lifecycle):
    """Tells :func:`look` in other processes, while it is open, what the caches that count in ``metrics`` did."""

    def __init__(self, subject: str, metrics: Metrics) -> None:
        super().__init__()
        self._metrics = metrics
        self._window = _window.Window(
            subject, self._told, thread="postrmagic-cache-window", command="postrmagic cache stats"
        )

    def _told(self) -> dict[str, Any]:
        return asdict(ProcessFigures(os.getpid(), " ".join(sys.argv)[:200], by_namespace(self._metrics)))

    def _open(self) -> None:
        self._window.open()

    def _close(self) -> None:
        self._window.close()


def subject(service: str, place: str, url: str) -> str:
    """What the processes of one application call their cache: its ``service``, data directory and store.

    Credentials in ``url`` are left out: what is hashed into a file's name can be guessed at leisure.
    """
    parts = urlsplit(url)
    return f"cache {service} {place} {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def look(subject: str) -> list[ProcessFigures]:
    """The counters of every process of this user on this machine that has the cache open, by process id."""
    return sorted(map(_read, _window.look(subject)), key=lambda told: told.pid)


def by_namespace(metrics: Metrics) -> dict[str, CacheStats]:
    """What each namespace that counts in ``metrics`` did."""
    found = sorted({dict(labels)["namespace"] for name, labels, _ in metrics.counters() if name == "cache_hits_total"})
    return {namespace: Tally(metrics, namespace).stats() for namespace in found}


def total(stats: Iterable[CacheStats]) -> CacheStats:
    """The sums."""
    several = list(stats)
    return CacheStats(**{field.name: sum(getattr(one, field.name) for one in several) for field in fields(CacheStats)})


def usage(store: Store, namespace: str) -> Usage | None:
    """What the entries of ``namespace`` take in ``store``; ``None`` where it cannot tell. It reads all their keys."""
    return store.usage(CacheKeys(namespace).prefix) if isinstance(store, SupportsUsage) else None


def _read(answer: Any) -> ProcessFigures:
    # A process of another version may count more than this one knows, or less.
    known = [field.name for field in fields(CacheStats)]
    namespaces = {
        namespace: CacheStats(**{name: told.get(name, 0) for name in known})
        for namespace, told in answer["namespaces"].items()
    }
    return ProcessFigures(answer["pid"], answer["command"], namespaces)
