"""An application that was watched for a day: its stack, and figures, errors, releases, answers of users."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from postrmagic_core._clock import from_us
from postrmagic_core.backups.tables import metadata as backups_tables
from postrmagic_core.database.tables import metadata as database_tables
from postrmagic_core.events.tables import metadata as events_tables
from postrmagic_core.flags.tables import metadata as flags_tables
from postrmagic_core.jobs.tables import metadata as jobs_tables
from postrmagic_core.observability.alerts import Alerts, Reading, Threshold
from postrmagic_core.observability.errors import ErrorTracker
from postrmagic_core.observability.experience import Experience
from postrmagic_core.observability.history import History, rows
from postrmagic_core.observability.history.policy import Counted, Sample
from postrmagic_core.observability.tables import metadata as observability_tables
from postrmagic_core.observability.uptime import Uptime
from postrmagic_core.observability.uptime.targets import probe
from postrmagic_core.security.tables import metadata as security_tables
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack

TABLES = (
    database_tables,
    jobs_tables,
    events_tables,
    security_tables,
    observability_tables,
    backups_tables,
    flags_tables,
)
TOKEN = "the-token-of-this-test"
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
ROUTES = {
    "GET /posters": 0.4,
    "GET /posters/{id}": 0.3,
    "POST /posters": 0.1,
    "GET /api/v1/me": 0.12,
    "POST /login": 0.05,
    "GET /search": 0.03,
}


class QuickStack(Stack):
    """A Stack whose tables are made at once: faster than by the migrations, which other tests hold equal."""

    def _migrate(self) -> None:
        with self.database.write() as tx:
            for tables in TABLES:
                tables.create_all(tx.connection)


def settings(directory: Path, **observability: Any) -> Settings:
    """Everything on SQLite beneath ``directory``."""
    return Settings(
        stack={"data_dir": directory, "environment": "test", "service": "posters", "release": "1.4.2"},
        observability={"token": TOKEN, **observability},
    )


def watch(stack: Stack, **probes: str) -> None:
    """Give the open ``stack`` all that can be looked at; ``probes``: URLs by name."""
    seen: Any = stack.observability
    how: dict[str, Any] = {"clock": stack.clock}
    seen.history = History(stack.database, **how)
    seen.uptime = Uptime(stack.database, probes=[probe(name, url) for name, url in probes.items()], **how)
    seen.alerts = Alerts(stack.database, rules=RULES, **how)
    seen.experience = Experience(stack.database, stack.settings.key_ring(), metrics=stack.metrics, **how)


def _slow() -> list[Reading]:
    return [Reading({"route": "GET /search"}, 2.4)]


RULES = (Threshold("slow-route", of=_slow, above=1.0, for_=0.0, severity="critical", summary="A route answers slowly"),)


def fill(stack: Stack, hours: float = 2.0) -> None:
    """Figures of the last hours, every 15 seconds, with a gap; two releases, three error groups."""
    dice, now_us = Random(7), stack.clock.now_us()
    with stack.database.write() as tx:
        for ago in range(0, int(hours * 3600), 15):
            if 0.4 < ago / 3600 < 0.5:
                continue
            at_us = now_us - ago * 1_000_000
            rows.put(tx, rows.STEP, Sample(at_us, 15_000_000, _points(ago, dice)), _routes(dice))
    stack.observability.releases.mark("1.4.1", "faster lists", "anna")
    fail(stack, TimeoutError("no answer within 5 s"), ValueError("a poster without a page"), KeyError("owner"))


def fail(stack: Stack, *errors: Exception, logger: str = "posters.render", event: str = "the poster failed") -> None:
    """Errors as they come from the log, written now."""
    with ErrorTracker(stack.database, service="posters", release="1.4.2", clock=stack.clock) as tracker:
        for error in errors:
            frames = [{"file": "/srv/posters/render.py", "line": 88, "function": "draw"}]
            told = {"type": type(error).__name__, "message": str(error), "frames": frames}
            tracker({"level": "error", "logger": logger, "event": event, "exception": told}, error)
        assert tracker.flush()


def _points(ago: int, dice: Random) -> dict[str, float]:
    day = 1 + 0.4 * math.sin(ago / 900) + 0.15 * math.sin(ago / 140)
    slow = 1.9 if 2000 < ago < 2600 else 1.0
    return {
        "requests_per_second": 42 * day * dice.uniform(0.92, 1.08),
        "error_share": max(0.0, dice.gauss(0.002, 0.002)) + (0.02 if slow > 1 else 0.0),
        "response_p50": 0.021 * slow * dice.uniform(0.9, 1.1),
        "response_p95": 0.18 * slow * dice.uniform(0.85, 1.15),
        "response_p99": 0.42 * slow * dice.uniform(0.8, 1.3),
        "query_p95": 0.012 * slow * dice.uniform(0.8, 1.2),
        "queries_per_second": 120 * day,
        "cache_hit_share": 0.93 + 0.03 * math.sin(ago / 700),
        "memory_bytes": 312e6 + 9e6 * math.sin(ago / 1800) + ago * -800,
        "jobs_waiting": max(0, round(4 * day * slow - 3)),
        "jobs_per_second": 3.1 * day,
        "job_failures_per_second": 0.01 * slow,
        "outbox_waiting": 0,
        "pool_in_use_share": min(1.0, 0.22 * day * slow),
        "page_load_p75": 1.4 * dice.uniform(0.9, 1.1),
        "sessions_per_second": 2.4 * day,
        "log_errors_per_second": 0.02 * slow,
    }


def _routes(dice: Random) -> list[Counted]:
    found = []
    for name, share in ROUTES.items():
        method, _, route = name.partition(" ")
        total = max(1, round(630 * share * dice.uniform(0.9, 1.1)))
        middle = 7 if route == "/search" else 3
        weights = [math.exp(-abs(place - middle)) for place in range(len(BOUNDS) + 1)]
        counts = tuple(round(total * weight / sum(weights)) for weight in weights)
        failed = round(total * 0.04) if route == "/search" else 0
        found.append(Counted(route, method, total, failed, BOUNDS, counts))
    return found


def use(stack: Stack) -> None:
    """What users did and said."""
    experience, since = stack.observability.experience, from_us(stack.clock.now_us()) - timedelta(days=1)
    assert since.tzinfo is not None
    with experience:
        for user in range(40):
            experience.use("search", f"user-{user}")
            if user % 2:
                experience.use("upload", f"user-{user}")
            if user % 5 == 0:
                experience.use("share", f"user-{user}")
        experience.flush()
        for number, (score, said) in enumerate(
            [(5, "Lists are quick now."), (4, ""), (3, "The search hides behind the menu."), (5, ""), (2, "Too small.")]
        ):
            experience.answer("how-well-it-works", score, said, who=f"user-{number}")
        for page, load in (("/posters", 1.3), ("/posters/{id}", 0.9), ("/search", 4.4)):
            for step in range(30):
                experience.timing(
                    page, load=load + step / 100, first_byte=load / 5, lcp=load * 0.8, inp=0.12, layout_shift=0.03
                )
