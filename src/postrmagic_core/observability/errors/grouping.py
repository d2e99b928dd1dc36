"""Which group an error belongs to, told in a few microseconds: every error that is logged asks."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from ...log.tracebacks import FRAMES, fingerprint
from . import policy

_KNOWN = 1000


class Grouping:
    """Fingerprints of errors; those of exceptions that came the same way before are remembered."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], str] = {}

    def of(self, event: Mapping[str, Any], error: BaseException | None) -> str:
        """The event's own ``fingerprint``, else the exception's, else that of what the event says."""
        given = policy.own_fingerprint(event.get("fingerprint"))
        if given is not None:
            return given
        return policy.without_exception(event) if error is None else self._of_exception(error)

    def _of_exception(self, error: BaseException) -> str:
        # What a fingerprint is made of, without making it: that costs ten times as much.
        kind = type(error)
        way: deque[str] = deque(maxlen=2 * FRAMES)
        step = error.__traceback__
        while step is not None:
            code = step.tb_frame.f_code
            way.append(code.co_filename)
            way.append(code.co_qualname)
            step = step.tb_next
        key = (kind.__module__, kind.__qualname__, *way)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            found = self._known[key] = fingerprint(error)
        return found
