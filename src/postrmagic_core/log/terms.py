"""Logging as the settings say."""

from __future__ import annotations

from .._metrics import Metrics
from ..settings import Settings
from .adapters import open_sink
from .interface import Rotation, Sampling
from .levels import LEVELS_FILE
from .manager import LogHandle, configure, joined

SPOOL, INDEX = "logs/spool", "logs/index"
"""Where in the data directory lines are on their way, and where they are searched."""


def configured(settings: Settings, metrics: Metrics | None = None) -> LogHandle:
    """:func:`configure` with what ``settings`` say; raises what it raises.

    Where the process has a configuration that one goes on, whosever it is, until the last handle is closed.
    """
    present = joined()
    if present is not None:
        return present
    room, stack = settings.log, settings.stack
    spooled = settings.searches or bool(room.forward)
    return configure(
        metrics=metrics,
        level=room.level,
        levels=room.levels,
        format=room.format,
        file=room.file,
        sink=None if room.sink is None else open_sink(room.sink.get_secret_value()),
        redact=room.redact,
        service=stack.service,
        release=stack.release,
        rotation=Rotation(room.max_bytes or None, room.rotate, room.keep_files, room.keep_days, room.compress),
        backlog=room.backlog,
        sampling=Sampling(room.sample, room.slow),
        repeats=room.repeats,
        levels_file=stack.data_dir / LEVELS_FILE,
        spool=stack.data_dir / SPOOL if spooled else None,
        spool_bytes=room.spool_bytes,
    )
