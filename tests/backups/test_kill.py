"""kill -9 of a backup and of a restore, at any step: what was good stays good, and doing it again ends whole."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from postrmagic_core.testing.clock import FakeClock
from tests.backups.site import ACCOUNTS, BALANCE, Site, noise

HERE = Path(__file__).parents[2]
TOTAL = "SELECT sum(balance) FROM accounts"


class Killer:
    """A process whose children do as they are told, and are killed."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.backups.killed"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE)

    def run(self, site: Site, what: str, last: int = 0) -> int:
        """Take or restore, killed at the step ``last``; how many steps there were, where it is 0."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{site.root}\t{what}\t{last}\n")
        self.process.stdin.flush()
        code, steps = self.process.stdout.readline().rstrip("\n").split(" ")
        assert int(code) == (-9 if last else 0)
        return int(steps or 0)


@pytest.fixture(scope="module")
def killer() -> Iterator[Killer]:
    """One for all tests: to start it takes long."""
    killer = Killer()
    yield killer
    killer.process.communicate()


@pytest.fixture(scope="module")
def steps(killer: Killer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How many steps a backup and a restore take."""
    site = filled(tmp_path_factory.mktemp("steps"))
    return {what: killer.run(site, what) for what in ("take", "restore")}


def filled(root: Path) -> Site:
    """An application with files, and one good backup."""
    root.mkdir(exist_ok=True)
    site = Site(root).made()
    for number in range(6):
        site.put(f"{number % 2}/{number}", noise(200_000))
    site.take()
    return site


def later() -> FakeClock:
    """A time at which what was killed holds no more."""
    return FakeClock(datetime.now(UTC) + timedelta(seconds=121))


def points(total: int, number: int) -> list[int]:
    """``number`` steps of all, spread over them and not always the same."""
    shift = time.time_ns() % 1000 / 1000
    return sorted({1 + int((each + shift) * total / number) % total for each in range(number)})


def take_killed_at(killer: Killer, site: Site, last: int) -> None:
    """The newest good backup is good, and the next one is taken and good."""
    with site.backups() as backups:
        (good,) = backups.list()
        killer.run(site, "take", last)
        found = backups.list()
        assert good in found
        assert len(found) <= 2
        for each in found:
            backups.verify(each.name)
    site.clock = later()
    with site.backups() as backups:
        backups.verify(backups.take().name)
        for each in backups.list():
            site.vault.remove(each.name) if each != good else None
    beside = {path.name for path in site.path.parent.iterdir() if not path.name.startswith("app.db")}
    assert beside == set()
    assert [path.name for path in (site.root / "vault").iterdir()] == [good.name]


def restore_killed_at(killer: Killer, site: Site, last: int, *, lost: bool) -> None:
    """Run again it ends whole, whether there was a database or not."""
    before = site.contents()
    for path in sorted(site.media.rglob("*/[135]")):
        path.unlink()
    if lost:
        site.lose()
    else:
        with closing(sqlite3.connect(site.path)) as connection, connection:
            connection.execute("UPDATE accounts SET balance = 0")
    killer.run(site, "restore", last)
    if not lost:  # never is there a moment without a database
        assert site.rows(TOTAL)[0][0] in (0, ACCOUNTS * BALANCE)
    site.restore()
    assert site.rows(TOTAL) == [(ACCOUNTS * BALANCE,)]
    assert site.rows("PRAGMA integrity_check") == [("ok",)]
    assert site.contents() == before
    assert [*site.path.parent.glob(".*"), *site.media.rglob(".*")] == []
    kept = list(site.path.parent.glob("app.db.replaced-*"))
    assert lost or _balance(kept) == {0, ACCOUNTS * BALANCE} & _balance(kept)
    assert lost or 0 in _balance(kept)


def _balance(paths: list[Path]) -> set[int]:
    found = set()
    for path in paths:
        with closing(sqlite3.connect(path)) as connection:
            found.add(connection.execute(TOTAL).fetchone()[0])
    return found


def test_a_killed_backup_harms_nothing(tmp_path: Path, killer: Killer, steps: dict[str, int]) -> None:
    """Given a backup that is killed at two points, when the next one is taken, then old and new ones are good."""
    site = filled(tmp_path)
    for last in points(steps["take"], 2):
        take_killed_at(killer, site, last)


@pytest.mark.parametrize("lost", [True, False])
def test_a_killed_restore_is_gone_on_with(tmp_path: Path, killer: Killer, steps: dict[str, int], lost: bool) -> None:
    """Given a restore that is killed at any point, when it is run again, then everything is there."""
    (last,) = points(steps["restore"], 1)
    restore_killed_at(killer, filled(tmp_path), last, lost=lost)


@pytest.mark.soak
def test_a_backup_killed_at_every_step_harms_nothing(tmp_path: Path, killer: Killer, steps: dict[str, int]) -> None:
    """Given a backup that is killed at each of its steps, when the next one is taken, then all are good."""
    site = filled(tmp_path)
    for last in range(1, steps["take"] + 1):
        take_killed_at(killer, site, last)


@pytest.mark.soak
@pytest.mark.parametrize("lost", [True, False])
def test_a_restore_killed_at_every_step_is_gone_on_with(
    tmp_path: Path, killer: Killer, steps: dict[str, int], lost: bool
) -> None:
    """Given a restore that is killed at each of its steps, when it is run again, then everything is there."""
    for last in range(1, steps["restore"] + 1):
        root = tmp_path / str(last)
        restore_killed_at(killer, filled(root), last, lost=lost)
        shutil.rmtree(root)
