"""Where rendered lines go, and the small values that say how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from ..errors import ConfigurationError

_DAYS = 3660

Tap: TypeAlias = Callable[[Mapping[str, Any], BaseException | None], None]
"""Called with the redacted event of each record from ERROR on, plain JSON values, and its exception, if it has one.

Once a record, in the thread that made it, before anything is written: it must return at once. It may read the
exception and must not keep it. What it raises is counted, ``log_tap_errors_total``, and reaches nobody.
"""


class Sink(Protocol):
    """Takes finished lines, from one thread at a time. It must not log: its own records would follow each other."""

    def write(self, lines: Sequence[bytes]) -> int:
        """Write ``lines`` (UTF-8, without newline; never empty) in order; returns how many of the first arrived.

        As ``write(2)``: at least one, or :class:`OSError`. The rest is given again. A line may hold newlines: a
        traceback on the console does.
        """
        ...

    def idle(self) -> None:
        """Called about once a second, also between writes: reopen, rotate, tidy. :class:`OSError` is borne."""
        ...

    def close(self) -> None:
        """Release what the sink opened itself; a stream handed in stays open. Again without effect."""
        ...


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a log file is put aside, and how long such files are kept.

    From ``max_bytes`` on (``None``: never by size), and when an hour or a day begins (UTC). ``keep_files`` of them are
    kept, none longer than ``keep_days`` (at most 3,660); ``compress``: by gzip. :class:`ConfigurationError`: fewer than
    one byte or file, no time at all, another period.
    """

    max_bytes: int | None = 100 * 1024 * 1024
    every: Literal["never", "hour", "day"] = "day"
    keep_files: int = 30
    keep_days: float = 90.0
    compress: bool = True

    def __post_init__(self) -> None:
        if self.max_bytes is not None and self.max_bytes < 1:
            raise ConfigurationError(f"max_bytes is at least 1, or None for never by size, not {self.max_bytes!r}")
        if self.every not in ("never", "hour", "day"):
            raise ConfigurationError(f"a log file is put aside every hour, day or never, not {self.every!r}")
        if self.keep_files < 1:
            raise ConfigurationError(f"keep_files is at least 1, not {self.keep_files!r}")
        if not 0 < self.keep_days <= _DAYS:
            raise ConfigurationError(f"keep_days is more than 0 and at most {_DAYS}, not {self.keep_days!r}")


@dataclass(frozen=True, slots=True)
class Sampling:
    """Of which requests and jobs the records below WARNING are kept: of a ``share`` (0 to 1), and of all that matter.

    One matters that logs an error, answers with status 500 or more, or takes ``slow`` seconds or longer.
    """

    share: float = 1.0
    slow: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ConfigurationError(f"the share of requests whose records are kept is 0 to 1, not {self.share!r}")
