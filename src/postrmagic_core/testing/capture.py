"""A whole Stack in a test's own directory, and what was enqueued and emitted on it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postrmagic_core import _codec
from postrmagic_core.settings import Settings

if TYPE_CHECKING:
    from postrmagic_core._protocols import UnitLike
    from postrmagic_core.jobs import JobQueue


@dataclass(frozen=True, slots=True)
class CapturedJob:
    """A job whose enqueueing was committed: the task's name and its arguments by name."""

    id: str
    task: str
    arguments: Mapping[str, Any]


def embedded_settings(directory: Path) -> Settings:
    """Settings whose every backend is a SQLite file in ``directory``, whatever URLs the environment names."""
    application, store = (f"sqlite:///{directory.absolute() / name}" for name in ("app.db", "kv.db"))
    return Settings(
        stack={"data_dir": directory, "environment": "test"},
        security={"keys": [secrets.token_urlsafe(48)]},
        database={"url": application},
        cache={"url": store},
        sessions={"url": store},
        jobs={"url": application, "worker": "separate"},
    )


def capture_jobs(jobs: JobQueue, replace: Callable[[object, str, object], None]) -> list[CapturedJob]:
    """A list that grows with every job enqueued on ``jobs`` once its unit has committed; they are enqueued as well.

    ``replace(target, name, value)`` sets an attribute and undoes it later: pytest's ``monkeypatch.setattr``.
    """
    captured: list[CapturedJob] = []
    put = jobs._put

    def putting(new: Sequence[Any], tx: UnitLike | None, detached: bool) -> Mapping[str, str]:
        holders = put(new, tx, detached)
        seen = [CapturedJob(job.id, job.task, _codec.decode(job.payload)) for job in new if job.id not in holders]
        if tx is None:
            captured.extend(seen)
        else:
            tx.after_commit(lambda: captured.extend(seen))
        return holders

    replace(jobs, "_put", putting)
    return captured
