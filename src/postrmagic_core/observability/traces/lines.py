"""Events of spans as lines of the spool, where search and stories find them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...log.policy import Redactor
from ...log.render import render_json
from ...log.spool import Spool


class SpanLines:
    """Writes events to the spool in ``directory``, redacted; ``names`` are further keys to mask.

    :class:`OSError`: the disk refuses them. From one thread at a time.
    """

    def __init__(self, directory: Path, max_bytes: int, names: Iterable[str] = ()) -> None:
        self._spool = Spool(directory, max_bytes)
        self._redactor = Redactor(names)

    def __call__(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Write ``events``, in order."""
        lines = [render_json(self._redactor.clean(event)) for event in events]
        while lines:
            del lines[: self._spool.write(lines)]

    def close(self) -> None:
        """Close the spool."""
        self._spool.close()
