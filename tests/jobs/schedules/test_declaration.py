"""Schedules are declared without a Stack; what cannot be one is refused where it is written."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from postrmagic_core.errors import UsageError
from postrmagic_core.jobs import cron, every, task

Rig = Any


@task(name="expire")
def expire(ctx: Any, days: int = 30) -> None:
    """A task like any other."""


def test_a_schedule_is_known_by_its_task_or_by_its_own_name() -> None:
    """And what is not said is what most want."""
    schedule = cron("30  3 * * *", expire.call(7))
    assert (schedule.name, schedule.timing.spec, schedule.timing.zone) == ("expire", "30 3 * * *", "UTC")
    assert (schedule.misfire, schedule.grace) == ("once", None)
    assert every(60, expire.call(), name="often").name == "often"
    assert every(90.25, expire.call()).timing.spec == "every 90.25 s"
    assert every(31_536_000, expire.call()).timing.spec == "every 31536000 s"
    assert every(60, expire.call(), misfire="skip").grace == timedelta(seconds=60)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("30 3 * *", "five fields"),
        ("0 30 3 * * *", "five fields"),
        ("@daily", "five fields"),
        ("", "five fields"),
        ("61 3 * * *", "Bad minute"),
        ("0 24 * * *", "Bad hour"),
        ("0 0 * * MOO", "Bad day-of-week"),
        ("0 0 * 13 *", "Bad month"),
        ("*/0 * * * *", "Bad minute"),
        ("0 0 31 2 *", "Bad day-of-month"),
        ("0,1," * 100 + "2 * * * *", "five fields"),
    ],
)
def test_an_expression_that_is_none_is_refused(expression: str, said: str) -> None:
    """With what is wrong, or what was expected."""
    with pytest.raises(ValueError, match=said):
        cron(expression, expire.call())


@pytest.mark.parametrize("zone", ["Europe/Zurick", "", "../etc/passwd", "/etc/localtime", "Europe", "CET\0"])
def test_a_zone_there_is_not_is_refused(zone: str) -> None:
    """Whatever it looks like."""
    with pytest.raises(ValueError, match=r"there is no time zone .*'Europe/Zurich'"):
        cron("0 0 * * *", expire.call(), timezone=zone)


@pytest.mark.parametrize("seconds", [0, -1, 0.05, float("inf"), float("nan")])
def test_an_interval_that_is_none_is_refused(seconds: float) -> None:
    """Also one that would keep the database busy by itself."""
    with pytest.raises(ValueError, match=r"at least 0\.1 s"):
        every(seconds, expire.call())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"misfire": "never"}, "one of once, skip, all"),
        ({"grace": 0}, "more than 0"),
        ({"grace": float("inf")}, "more than 0"),
        ({"name": "two words"}, "a letter or _"),
        ({"name": ""}, "a letter or _"),
    ],
)
def test_options_are_checked(options: dict[str, Any], said: str) -> None:
    """When the module is imported, and not when the first tick comes."""
    with pytest.raises(ValueError, match=said):
        every(60, expire.call(), **options)


def test_a_task_is_no_call() -> None:
    """The usual slip has its answer."""
    with pytest.raises(ValueError, match=r"expire\.call\(\).*got Task"):
        every(60, expire)  # type: ignore[arg-type]  # that is the slip


def test_a_module_is_included_with_its_schedules_and_their_tasks(sqlite_rig: Rig) -> None:
    """As tasks are; the same one twice, from wherever, is one."""
    module = ModuleType("schedules_of_a_test")
    nightly = cron("30 3 * * *", expire.call(), name="nightly")
    vars(module).update(nightly=nightly, again=nightly, other=7)
    sqlite_rig.jobs.include(module, nightly)
    assert sqlite_rig.jobs.scheduled == {"nightly": nightly}
    assert sqlite_rig.jobs.tasks == {"expire": expire}


def test_two_schedules_of_one_name_are_refused(sqlite_rig: Rig) -> None:
    """Their ticks would be one another's."""
    sqlite_rig.jobs.include(every(60, expire.call()))
    with pytest.raises(UsageError, match=r"two schedules are named expire: give one of them name="):
        sqlite_rig.jobs.include(cron("0 0 * * *", expire.call()))


def test_tasks_are_declared_without_loading_what_schedules_need() -> None:
    """Only who declares a schedule loads cronsim; nobody who declares loads a driver."""
    program = (
        "import sys; from postrmagic_core.jobs import task; assert 'cronsim' not in sys.modules;"
        "from postrmagic_core.jobs import cron; assert not {'sqlalchemy', 'dramatiq'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
