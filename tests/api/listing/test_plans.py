"""A page far back in a list costs what the first one does: the database goes to its place in an index."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Select, text

from postrmagic_core.database import DatabaseManager, Unit
from tests.api.listing.shown import KEYS, POSTERS, filled, poster, posters

ROWS = 2_000
LIMIT = 10


def page_behind(tx: Unit, sort: str, pages: int) -> Select[Any]:
    """The statement of the page that follows so many pages."""
    after: str | None = None
    mine = posters.c.user_id == 1
    for _ in range(pages):
        asked = POSTERS.ask(POSTERS.Query(sort=sort, limit=50, after=after), keys=KEYS, subject="")
        after = asked.page(tx.execute(asked.select(mine)).all()).next
    wanted = POSTERS.ask(POSTERS.Query(sort=sort, limit=LIMIT, after=after), keys=KEYS, subject="").select(mine)
    # MariaDB reads all of user_id = 1 from one end, whatever bound is given: see the how-to.
    mariadb = getattr(tx.connection.dialect, "is_mariadb", False)
    return wanted.with_hint(posters, "FORCE INDEX (ix_posters_list)", "mysql") if mariadb else wanted


@pytest.mark.parametrize("sort", ["-created_at", "created_at"])
@pytest.mark.parametrize("ties", [1, 500])
def test_a_page_far_back_reads_no_more_than_its_rows(database: DatabaseManager, sort: str, ties: int) -> None:
    """MariaDB and MySQL count the rows they read; SQLite says where it begins in the index, and does not sort."""
    rows = [poster(n, created_us=n // ties, user_id=1 + n % 2) for n in range(1, ROWS)]
    with filled(database, posters, rows):
        pass
    with database.write() as tx:
        statement = page_behind(tx, sort, 10)
        if database.dialect == "sqlite":
            compiled = statement.compile(tx.connection)
            values = tuple(compiled.params[name] for name in compiled.positiontup or ())
            plan = str(tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values).all())
            assert f"user_id=? AND created_us{'<' if sort[0] == '-' else '>'}?" in plan
            assert "TEMP B-TREE" not in plan
            return
        tx.execute(text("FLUSH STATUS"))
        found = len(tx.execute(statement).all())
        read = sum(int(number) for number in tx.execute(text("SHOW SESSION STATUS LIKE 'Handler_read%'")).scalars(1))
        assert found == LIMIT + 1
        assert read <= LIMIT + 3
