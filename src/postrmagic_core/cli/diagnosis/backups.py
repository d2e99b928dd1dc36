"""Whether there are backups, elsewhere than what they are of, and whether somebody has tried them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...backups.figures import Series, series
from ...backups.tables import runs
from ...errors import PostrMagicError
from ...settings import Settings
from ..words import span
from .interface import Finding, Patient, advice, graver, ok, problem, unknown
from .read_only import Missing, path_of, reading

_PAGE = "how-to/back-up.md"
# Seconds, as the alerts have them.
OVERDUE = 26 * 3600.0
UNTRIED = 8 * 86_400.0


def look(patient: Patient) -> Iterator[Finding]:
    """What the settings mean to do, and what was done."""
    if not patient.production and patient.settings.backups.schedule is None:
        yield ok("no backups are taken by schedule, nor expected outside production")
        return
    now_us = patient.clock.now_us()
    try:
        with reading(patient.settings.database_url(), runs) as tx:
            backups, drills = (series(tx, kind, now_us) for kind in ("backup", "drill"))
    except Missing:
        yield from meant(patient.settings)
        yield ok("there is nothing to back up yet")
    except PostrMagicError:
        yield from meant(patient.settings)
        yield unknown("which backups there are cannot be asked for: see database and schema")
    else:
        yield from meant(
            patient.settings,
            comes=age(backups, now_us) < OVERDUE,
            tried=age(drills, now_us) < UNTRIED,
        )
        yield from taken(backups, now_us)
        yield from drilled(drills, now_us)


def meant(settings: Settings, *, comes: bool = False, tried: bool = False) -> Iterator[Finding]:
    """Where, when, under which key; ``comes`` and ``tried``: backups and drills are run all the same."""
    room = settings.backups
    if room.schedule is None and not comes:
        yield advice(
            "no worker takes backups (backups.schedule)",
            'POSTRMAGIC_BACKUPS__SCHEDULE="0 3 * * *", unless something else runs `postrmagic db backup`',
            f"{_PAGE}#every-night",
        )
    if room.drill_schedule is None and not tried:
        yield advice(
            "no worker tries whether a backup can be restored (backups.drill_schedule)",
            'POSTRMAGIC_BACKUPS__DRILL_SCHEDULE="0 5 * * 0"',
            f"{_PAGE}#prove-that-they-restore",
        )
    if not room.keys:
        yield advice(
            "backups have no keys of their own: who has the application's can read them all, and who loses it none",
            "POSTRMAGIC_BACKUPS__KEYS, kept elsewhere too",
            f"{_PAGE}#where-what-under-which-key",
        )
    shared = of_one_disk(settings)
    if shared is not None:
        yield advice(
            f"backups are kept on the disk that {shared} is on, and lost with it",
            "POSTRMAGIC_BACKUPS__URL=file:///… on another disk or machine",
            f"{_PAGE}#where-what-under-which-key",
        )


def of_one_disk(settings: Settings) -> Path | None:
    """What is kept on the disk on which its backups are, as far as this machine can tell."""
    url = urlsplit(settings.vault_url())
    if url.scheme != "file":
        return None
    kept = [path_of(settings.database_url()), *settings.backups.files.values()]
    here = _device(Path(unquote(url.path)))
    return next((path for path in kept if path is not None and _device(path) == here), None)


def _device(path: Path) -> int:
    """The file system of what is there, or will be."""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path.stat().st_dev


def age(found: Series, now_us: int) -> float:
    """Seconds since the newest good one began; infinite without any."""
    return math.inf if found.since_us is None or not found.good else (now_us - found.since_us) / 1e6


def taken(found: Series, now_us: int) -> Iterator[Finding]:
    """The newest backup."""
    old = age(found, now_us)
    if math.isinf(old):
        yield advice("no backup was ever taken here", "postrmagic db backup", _PAGE)
    elif old > OVERDUE:
        yield problem(f"the newest backup is {span(old)} old", "postrmagic db backup", _PAGE)
    else:
        yield ok(f"the newest backup is {span(old)} old")
    if found.failed:
        yield graver(
            old > OVERDUE, f"backups that failed since: {found.failed}", "`postrmagic db backups` says why", _PAGE
        )


def drilled(found: Series, now_us: int) -> Iterator[Finding]:
    """The newest drill."""
    old = age(found, now_us)
    if found.failed:
        yield problem(f"drills that failed since one went well: {found.failed}", "postrmagic db drill", _PAGE)
    if old > UNTRIED:
        told = "ever" if math.isinf(old) else f"for {span(old)}"
        yield advice(f"nobody has tried {told} whether a backup can be restored", "postrmagic db drill", _PAGE)
    else:
        yield ok(f"a backup was restored for a trial {span(old)} ago")
