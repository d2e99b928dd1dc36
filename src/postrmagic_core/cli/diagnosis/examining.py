"""Every check there is, by its area, and how they are run: all at once, each within a bound, none ending another."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

from ..._clock import Clock, SystemClock
from ...errors import PostrMagicError
from ...log.policy import scrub
from ...observability.health import Checks
from .interface import Check, Finding, Patient, problem, unknown

# Seconds that a check may take; twice that where an application is loaded first.
BOUND = 5.0

# The modules are imported by the check: one that cannot be is a finding like others.
AREAS: Mapping[str, str] = {
    "python": "python:look",
    "packages": "packages:look",
    "system": "system:look",
    "settings": "written:look",
    "production": "production:look",
    "data": "data_dir:look",
    "files": "sqlite_files:look",
    "database": "sql_server:look",
    "redis": "redis_server:look",
    "rabbitmq": "rabbitmq:look",
    "schema": "schema:look",
    "work": "work:look",
    "backups": "backups:look",
    "alerts": "alerts:look",
}
_SERVERS = {"database", "redis", "rabbitmq"}


def examine(
    app: str | None = None,
    only: Collection[str] = (),
    *,
    checks: Mapping[str, Check] | None = None,
    bound: float = BOUND,
    clock: Clock | None = None,
) -> list[Finding]:
    """What is found in each area, or in those of ``only``; raises nothing. ``checks`` in place of all there are."""
    patient, findings = _patient(app, clock or SystemClock(), bound)
    if patient is None:
        return findings
    asked = {area: partial(check, patient) for area, check in (checks or _all()).items() if not only or area in only}
    return findings + _within(asked, bound)


def _all() -> dict[str, Check]:
    return {area: partial(_called, target) for area, target in AREAS.items()}


def _called(target: str, patient: Patient) -> Iterable[Finding]:
    module, _, name = target.partition(":")
    check: Check = getattr(import_module(f".{module}", __package__), name)
    return check(patient)


def _patient(app: str | None, clock: Clock, bound: float) -> tuple[Patient | None, list[Finding]]:
    """Who is looked at, and what was found on the way; nobody where the settings cannot be read in time."""
    from .reading import read, with_application

    found: list[Patient] = []

    def settings() -> Iterator[Finding]:
        found.append(read(clock))
        yield from ()

    def application() -> Iterator[Finding]:
        try:
            found.append(with_application(found[-1], app or ""))
        except (Exception, SystemExit) as error:
            raised = told(error)
            yield problem(
                f"--app {app} cannot be loaded: {raised}; what follows is as the settings alone say",
                f'python -c "import {(app or "").partition(":")[0]}" shows where it fails',
                "how-to/run-workers.md",
            )

    findings = _within({"settings": settings}, bound)
    if app is not None and found:
        findings += _within({"application": application}, bound)
    return (found[-1] if found else None), findings


def _within(checks: Mapping[str, Callable[[], Iterable[Finding]]], bound: float) -> list[Finding]:
    """All at once; what one has found before its time was over is told, too."""
    found: dict[str, list[Finding]] = {area: [] for area in checks}
    every = Checks(budget=bound)
    for area, check in checks.items():
        every.add(area, partial(_gather, check, found[area]))
    for area, health in every.report(now=True).checks.items():
        found[area] = list(found[area])  # a check that is late goes on with its own
        if health.error == "timed_out":
            found[area].append(_late(area, bound))
        elif health.error:
            found[area].append(unknown(f"it could not be looked at any further: {health.error}"))
    return [replace(finding, area=area) for area, findings in found.items() for finding in findings]


def _late(area: str, bound: float) -> Finding:
    why = f"it was not done within {bound:g} s"
    if area in _SERVERS:  # each answer has a shorter time-out: what is left is the system's own search for an address
        return problem(why, "look whether names are found from here: `getent hosts HOST`", "how-to/run-on-redis.md")
    return unknown(f"it could not be looked at any further: {why}")


def _gather(check: Callable[[], Iterable[Finding]], found: list[Finding]) -> None:
    try:
        for finding in check():
            found.append(finding)  # one by one: what was found before a check fails or is late is kept
    except ModuleNotFoundError as error:
        found.append(unknown(f"it could not be looked at: {error.name} is not installed, see packages"))
    except Exception as error:  # whatever it is, the other checks go on
        found.append(unknown(f"it could not be looked at: {told(error)}"))


def told(error: BaseException) -> str:
    """An error in a line: ours by its text, another by its kind and place, as its text may hold anything."""
    if isinstance(error, PostrMagicError):
        return scrub(" ".join(str(error).split()))
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
