"""What whoever works off jobs looks after, beside them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from postrmagic_core.database.tables import once
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack
from postrmagic_core.testing import FakeClock

HOUR_US = 3_600_000_000


def test_what_may_be_forgotten_is(tmp_path: Path, frozen_clock: FakeClock) -> None:
    """Rows of effects that happened once, an hour after they expired, in batches; younger ones stay."""
    now = frozen_clock.now_us()
    rows = {f"old-{number:03d}": now - HOUR_US - 1 for number in range(150)} | {"young": now - HOUR_US + 1, "live": now}
    with Stack(Settings(stack={"data_dir": tmp_path}), clock=frozen_clock, configure_logging=False) as stack:
        with stack.database.write() as tx:
            for name, expires in rows.items():
                tx.execute(once.insert().values(id=name, kind="job", created_us=0, expires_us=expires))
        for _ in range(2):
            for call in stack.jobs.upkeep:
                call()
        with stack.database.read() as tx:
            assert sorted(tx.scalars(select(once.c.id))) == ["live", "young"]
