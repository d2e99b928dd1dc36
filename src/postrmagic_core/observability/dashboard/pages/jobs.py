"""Jobs: what waits, runs and has failed in each queue, who works, and what comes when; one job where it is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ....jobs.interface import DEAD, ENDED, Counts, Selection
from ..interface import Ask, Page, Shown
from ..reading_figures import Figures, figures
from ..reading_series import Drawn, charts_of

if TYPE_CHECKING:
    from datetime import datetime

    from ....jobs.interface import JobStatus, State

_CHARTS = (
    Drawn("rate", "Jobs that ended", [("jobs_per_second", "all", ""), ("job_failures_per_second", "failed", "bad")]),
    Drawn("waiting", "Jobs that may run and wait", [("jobs_waiting", "waiting", "")]),
)
_STEP = 25
_MOST = 500
# Jobs that wait are listed up to here: beyond, listing the newest would read them all.
_LISTED = 10_000
_TASKS = 100

TABS: Mapping[str, frozenset[State]] = {
    "dead": DEAD,
    "running": frozenset({"running"}),
    "retrying": frozenset({"retrying"}),
    "waiting": frozenset({"queued"}),
}
"""What may be listed; what went well is not, there is too much of it."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue: how many jobs may run, wait for their time, run and are dead; ``oldest`` in seconds; rates a second."""

    name: str
    due: int
    later: int
    running: int
    dead: int
    oldest: float
    rate: float | None
    failing: float | None
    wait: float | None


@dataclass(frozen=True, slots=True)
class Task:
    """A task in all workers since they began: deliveries by how they ended, and seconds that 95 of 100 stayed below."""

    name: str
    succeeded: int
    failed: int
    retried: int
    took: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What became of a job, and when."""

    name: str
    at: datetime
    note: str = ""


QUEUE_SORTS: dict[str, Any] = {
    "name": lambda one: one.name,
    "due": lambda one: one.due,
    "dead": lambda one: one.dead,
    "oldest": lambda one: one.oldest,
    "rate": lambda one: one.rate,
}


def view(ask: Ask) -> Shown:
    """Queues, workers, tasks, a list of jobs and the schedules; one job where the query names it."""
    named = ask.text("id", 36)
    if named:
        return _one(ask, named)
    told = figures(ask.stack, ask.clock.monotonic)
    tab = ask.text("state") if ask.text("state") in TABS else "dead"
    limit = ask.number("limit", _STEP, least=1, most=_MOST)
    queues = ask.part("the queues", lambda: ask.sorted(_queues(ask.stack.jobs, told), QUEUE_SORTS, "name"))
    crowded = tab == "waiting" and sum(one.due + one.later for one in queues.value or ()) > _LISTED
    queue, task = ask.text("queue", 64), ask.text("task")
    known = queue.isascii()  # no queue is called anything else, and the database would not take it

    def listed() -> list[JobStatus]:
        # One more than is shown tells whether there are more.
        return ask.stack.jobs.find(TABS[tab], queue=queue or None, task=task or None, limit=limit + 1)

    jobs = ask.part("the jobs", listed if known and not crowded else list)
    return Shown(
        "jobs.html",
        {
            "charts": charts_of(ask, *_CHARTS),
            "window": ask.window,
            "everybody": told.everybody,
            "queues": queues,
            "workers": ask.part("the workers", ask.stack.jobs.workers),
            "tasks": _tasks(told),
            "tabs": list(TABS),
            "tab": tab,
            "queue": queue,
            "task": task,
            "jobs": jobs,
            "shown": (jobs.value or [])[:limit],
            "limit": limit,
            "more": min(limit + 4 * _STEP, _MOST) if len(jobs.value or ()) > limit and limit < _MOST else None,
            "crowded": crowded,
            "schedules": ask.part("the schedules", ask.stack.jobs.schedules),
        },
    )


def _one(ask: Ask, job_id: str) -> Shown:
    record = ask.stack.jobs.record(job_id)
    if record is None:
        return Shown("job.html", {"named": job_id, "job": None}, "Job", 404)
    status = record.status
    return Shown(
        "job.html",
        {
            "named": job_id,
            "job": status,
            "why": ": ".join(part for part in (status.reason or "", status.error or "") if part),
            "steps": _steps(status),
            "replayable": status.state in DEAD or status.state == "cancelled",
            "cancellable": status.state not in ENDED,
            "waited": _seconds(status.created_at, status.started_at),
            "ran": _seconds(status.started_at, status.ended_at or (ask.now if status.state == "running" else None)),
        },
        status.task,
    )


def _steps(status: JobStatus) -> list[Step]:
    # What is kept is the last delivery; each one's own records are in the log.
    steps = [Step("enqueued", status.created_at)]
    if status.started_at is not None:
        note = "" if status.worker is None else f"by worker {status.worker}"
        steps.append(Step(f"delivery {status.attempts} of {status.retries + 1} began", status.started_at, note))
    if status.due_at is not None:
        steps.append(Step("due", status.due_at))
    if status.ended_at is not None:
        steps.append(Step(status.state, status.ended_at))
    return sorted(steps, key=lambda step: step.at)


def _queues(jobs: Any, told: Figures) -> list[Queue]:
    counts = jobs.counts()
    names = {*counts, *(task.queue for task in jobs.tasks.values()), *told.values("jobs_processed_total", "queue")}
    return [_queue(name, counts.get(name) or Counts(), told) for name in names]


def _queue(name: str, of: Counts, told: Figures) -> Queue:
    failing = [told.rate("jobs_processed_total", queue=name, outcome=outcome) for outcome in ("failed", "dead")]
    return Queue(
        name=name,
        due=of.queued,
        later=of.later,
        running=of.running,
        dead=of.dead,
        oldest=of.oldest,
        rate=told.rate("jobs_processed_total", queue=name),
        failing=None if told.seconds is None else sum(rate or 0.0 for rate in failing),
        wait=told.quantile("jobs_wait_seconds", 0.95, queue=name),
    )


def _tasks(told: Figures) -> list[Task]:
    """Those that failed most first; a hundred at most."""
    counts: dict[str, dict[str, int]] = {}
    for outcome in ("succeeded", "failed", "dead", "retrying", "lost"):
        for task, number in told.by("jobs_processed_total", "task", outcome=outcome).items():
            counts.setdefault(task, {})[outcome] = number
    found = [
        Task(
            name=name,
            succeeded=of.get("succeeded", 0),
            failed=of.get("failed", 0) + of.get("dead", 0),
            retried=of.get("retrying", 0) + of.get("lost", 0),
        )
        for name, of in counts.items()
    ]
    found.sort(key=lambda one: (-one.failed, -one.succeeded, one.name))
    return [replace(one, took=told.quantile("jobs_duration_seconds", 0.95, task=one.name)) for one in found[:_TASKS]]


def _seconds(since: datetime | None, until: datetime | None) -> float | None:
    return None if since is None or until is None else max(0.0, (until - since).total_seconds())


def replay(ask: Ask, form: Mapping[str, str]) -> str:
    """Let the jobs named wait again with all their tries."""
    done = ask.stack.jobs.adapter.alter("replay", Selection(_ids(form)))
    return _told(len(done), "waits again", "wait again", "only what is dead, failed or cancelled is replayed")


def discard(ask: Ask, form: Mapping[str, str]) -> str:
    """Forget the jobs named, for good."""
    done = ask.stack.jobs.adapter.alter("forget", Selection(_ids(form)))
    return _told(len(done), "is forgotten", "are forgotten", "only what has ended is forgotten")


def cancel(ask: Ask, form: Mapping[str, str]) -> str:
    """End what waits, and ask what runs to end."""
    done = ask.stack.jobs.adapter.alter("cancel", Selection(_ids(form)))
    return _told(len(done), "is cancelled", "are cancelled", "only what waits or runs is cancelled")


def pause(ask: Ask, form: Mapping[str, str]) -> str:
    """Fire nothing of a schedule until it is resumed."""
    ask.stack.jobs.pause_schedule(form.get("name", ""))
    return "The schedule is paused."


def resume(ask: Ask, form: Mapping[str, str]) -> str:
    """Go on with a schedule."""
    ask.stack.jobs.resume_schedule(form.get("name", ""))
    return "The schedule goes on with its next tick."


def run(ask: Ask, form: Mapping[str, str]) -> str:
    """Enqueue the job of a schedule now."""
    job = ask.stack.jobs.run_schedule(form.get("name", ""))
    return f"Job {job.id} is enqueued."


def _ids(form: Mapping[str, str]) -> Sequence[str]:
    ids = form.get("ids", "").split()
    if not ids or len(ids) > _MOST:
        raise ValueError(f"expected the ids of 1 to {_MOST} jobs")
    return ids


def _told(number: int, one: str, many: str, otherwise: str) -> str:
    if not number:
        raise ValueError(f"nothing was changed: {otherwise}")
    return f"{number} job {one}." if number == 1 else f"{number} jobs {many}."


_ACTIONS = {
    "replay": replay,
    "discard": discard,
    "cancel": cancel,
    "pause-schedule": pause,
    "resume-schedule": resume,
    "run-schedule": run,
}

PAGE = Page("jobs", "Jobs", "Work", view, _ACTIONS, key="j")
