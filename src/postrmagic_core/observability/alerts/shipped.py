"""The rules that every application wants, unless its settings say otherwise."""

from __future__ import annotations

from .rules import RateOfChange, Rule, Threshold, errors, metric, time_left, uptime

_GUIDE = "docs/how-to/handle-an-alert.md"


def shipped() -> tuple[Rule, ...]:
    """All of them."""
    return (*_requests(), *_work(), *_resources(), *_errors(), *_uptime(), *_backups())


def _requests() -> tuple[Rule, ...]:
    failing = "{value} of the requests end with a status of 500 or more"
    slow = "one request in 20 takes {value} seconds or more"
    return (
        Threshold(
            "requests fail",
            metric("error_share"),
            above=0.05,
            clear_below=0.02,
            for_=300,
            clear_for=300,
            severity="critical",
            summary=failing,
            runbook=_GUIDE,
        ),
        Threshold(
            "answers are slow",
            metric("response_p95"),
            above=1.0,
            clear_below=0.8,
            for_=600,
            clear_for=300,
            summary=slow,
            runbook=_GUIDE,
        ),
    )


def _work() -> tuple[Rule, ...]:
    given_up = "{value} more jobs of {queue} are among the dead letters than ten minutes ago"
    stuck = "an outbox row of {topic} has waited for {value} seconds"
    rows = "{value} outbox rows of {topic} are given up"
    return (
        Threshold(
            "jobs fail",
            metric("job_failures_per_second"),
            above=0.1,
            clear_below=0.05,
            for_=600,
            clear_for=300,
            summary="{value} jobs fail in a second",
            runbook=_GUIDE,
        ),
        RateOfChange(
            "jobs are given up",
            metric("jobs_dead_letters"),
            by=0,
            within=600,
            share=False,
            summary=given_up,
            runbook=_GUIDE,
        ),
        Threshold("outbox rows are given up", metric("outbox_dead"), above=0, for_=60, summary=rows, runbook=_GUIDE),
        Threshold(
            "the outbox is stuck",
            metric("outbox_oldest_seconds"),
            above=300,
            for_=300,
            severity="critical",
            summary=stuck,
            runbook=_GUIDE,
        ),
    )


def _resources() -> tuple[Rule, ...]:
    lost = "{value} log lines were dropped within ten minutes: is a disk full?"
    return (
        Threshold(
            "connections run out",
            metric("pool_in_use_share"),
            above=0.9,
            clear_below=0.8,
            for_=300,
            clear_for=60,
            summary="{value} of the database connections are in use",
            runbook=_GUIDE,
        ),
        RateOfChange(
            "log lines are lost",
            metric("log_dropped_total"),
            by=0,
            within=600,
            share=False,
            severity="critical",
            summary=lost,
            runbook=_GUIDE,
        ),
    )


def _errors() -> tuple[Rule, ...]:
    new = "{type} at {place} is new, and came {value} times"
    back = "{type} at {place} was resolved and came back"
    return (
        Threshold("a new error", errors("new"), above=0, summary=new, runbook=_GUIDE),
        Threshold("an error came back", errors("regressed"), above=0, summary=back, runbook=_GUIDE),
    )


def _uptime() -> tuple[Rule, ...]:
    return (
        Threshold(
            "a probe is down",
            uptime(),
            below=1,
            clear_for=60,
            severity="critical",
            summary="{probe} is down",
            runbook=_GUIDE,
        ),
        Threshold(
            "a certificate expires",
            time_left("uptime_certificate_expires_timestamp_seconds"),
            below=14 * 86_400,
            for_=60,
            summary="the certificate of {probe} expires in {value} seconds",
            runbook=_GUIDE,
        ),
    )


def _backups() -> tuple[Rule, ...]:
    """Quiet where nobody ever took a backup, nor means to: then there is no such figure."""
    return (
        Threshold(
            "a backup is overdue",
            metric("backup_age_seconds"),
            above=26 * 3600,
            severity="critical",
            summary="the newest backup is {value} seconds old",
            runbook=_GUIDE,
        ),
        Threshold(
            "a backup failed",
            metric("backup_failures"),
            above=0,
            summary="{value} backups failed since one was taken",
            runbook=_GUIDE,
        ),
        Threshold(
            "a drill failed",
            metric("backup_drill_failures"),
            above=0,
            severity="critical",
            summary="a backup could not be restored for a trial, or is not what was backed up",
            runbook=_GUIDE,
        ),
        Threshold(
            "no drill for long",
            metric("backup_drill_age_seconds"),
            above=8 * 86_400,
            summary="for {value} seconds nobody has tried whether a backup can be restored",
            runbook=_GUIDE,
        ),
    )
