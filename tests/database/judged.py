"""Revisions that come after a shop's, judged as the release of the shop would fare beside them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import op

from postrmagic_core.database.compatibility.compatible import BOTH, Dialect, Judgement, judge
from postrmagic_core.database.compatibility.judging import judged
from postrmagic_core.database.compatibility.known import Known
from postrmagic_core.database.compatibility.recording import Recorded, record
from postrmagic_core.database.compatibility.rules import Finding
from postrmagic_core.database.compatibility.statements import read
from tests.database.histories import written

# What the release that runs was made for.
SHOP = """
op.create_table(
    "shops",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(40), nullable=False),
    sa.Column("town", sa.String(20)),
    sa.Column("stars", sa.Integer, server_default="0", nullable=False),
    sa.UniqueConstraint("name", name="uq_shops_name"),
    sa.CheckConstraint("stars >= 0", name="ck_shops_stars"),
)
op.create_table(
    "items",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("shop_id", sa.Integer, sa.ForeignKey("shops.id", name="fk_items_shop"), nullable=False),
    sa.Column("price", sa.Numeric(8, 2), nullable=False),
)
op.create_index("ix_shops_town", "shops", ["town"])
op.create_index("ux_items_price", "items", ["shop_id", "price"], unique=True)
"""


class Shop:
    """Judges what a revision does after ``SHOP``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def judge(self, *ups: str, dialects: Sequence[Dialect] = BOTH) -> Judgement:
        """The judgement of revisions with these bodies."""
        self._count += 1
        names = {f"r{place}": (up, "") for place, up in enumerate(ups, 1)}
        migrations = written(self._folder / str(self._count), {"shop": (SHOP, ""), **names})
        return judge(migrations, ["shop"], dialects)

    def findings(self, *ups: str, dialects: Sequence[Dialect] = BOTH) -> list[Finding]:
        """The same, its findings alone."""
        return list(self.judge(*ups, dialects=dialects).findings)

    def rules(self, *ups: str, dialects: Sequence[Dialect] = BOTH) -> list[str]:
        """The names of the rules, each once, in alphabetical order."""
        return sorted({finding.rule.name for finding in self.findings(*ups, dialects=dialects)})


@cache
def _recorded(dialect: Dialect) -> list[Recorded]:
    def make() -> None:
        exec(SHOP, {"op": op, "sa": sa})  # noqa: S102 - the one above

    return record(Path(__file__), make, dialect)


def cases(sql: str, dialects: Sequence[Dialect] = BOTH) -> list[str]:
    """The names of the rules that SQL comes under after ``SHOP``, without any file."""
    found: set[str] = set()
    for dialect in dialects:
        known = Known(dialect)
        for recorded in _recorded(dialect):
            known.learn(recorded.change, new=False)
        for change in read(sql, dialect):
            found.update(rule for rule, _ in judged(change, known))
            known.learn(change, new=True)
    return sorted(found)


def no_case(*_: object) -> tuple[()]:
    """What is judged by nobody."""
    return ()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop whose release runs."""
    return Shop(tmp_path)
