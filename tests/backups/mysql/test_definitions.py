"""What is in a database beside rows, where the order or the name of the database matters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from postrmagic_core.backups.dumps.mysql import MysqlTarget, snapshot
from postrmagic_core.backups.dumps.mysql.catalogue import in_order, unqualified, without_database
from postrmagic_core.backups.dumps.mysql.statements import disabled
from postrmagic_core.backups.interface import Noting, unreported
from postrmagic_core.errors import BackupFailed
from tests.backups.mysql.hostile import keep, rows, run, state

Make = Callable[[], str]

VIEWS = [
    "CREATE TABLE t (x INT, c VARCHAR(20), g POINT NOT NULL, j JSON)",
    "INSERT INTO t VALUES (5, 'a', ST_GeomFromText('POINT(1 2)'), '[1, 2]')",
    "CREATE VIEW z_base AS SELECT * FROM t WHERE x < 100",
    "CREATE VIEW y_checked AS SELECT x, g FROM z_base WHERE x > 1 WITH CASCADED CHECK OPTION",
    "CREATE VIEW a_point AS SELECT ST_X(g) AS gx FROM y_checked",
    "SET NAMES latin1",
    "CREATE VIEW a_sorted AS SELECT c COLLATE utf8mb4_bin AS c FROM z_base",
]
OF_MARIADB = ["CREATE VIEW a_json AS SELECT v FROM z_base z, JSON_TABLE(z.j, '$[*]' COLUMNS (v INT PATH '$')) k"]
OF_MYSQL = [
    "CREATE TABLE d (a INT PRIMARY KEY, b INT)",
    "CREATE JSON RELATIONAL DUALITY VIEW both_ways AS SELECT JSON_DUALITY_OBJECT('_id': a, 'b': b) FROM d",
]


def test_views_are_made_behind_what_they_are_made_of(kind: str, database: Make, tmp_path: Path) -> None:
    """Given views of views of which no constant can be made, when they are restored beside, then they are the same."""
    url, to = database(), database()
    run(url, *VIEWS, *(OF_MARIADB if kind == "mariadb" else OF_MYSQL))
    with snapshot(url, how="own", workspace=tmp_path) as read:
        kept = keep(read)
    MysqlTarget(to, tmp_path).restore(kept, unreported)
    assert state(to) == state(url)
    name = urlsplit(url).path[1:]
    assert not any(name in str(made) for view, made in state(to).items() if view.startswith("VIEW"))


def test_the_order_of_views() -> None:
    """Given views that name each other, also in a ring by a string, when they are ordered, then each is there once."""
    texts = {"a": b"select `c`.`x` from `c`", "b": b"select 1", "c": b"select `a` from `b`", "d`": b"select `b`.`d```"}
    assert in_order(texts) == ["b", "c", "a", "d`"]


@pytest.mark.parametrize(
    ("made", "kept"),
    [
        (b"select 1 from (`o`.`t` `z` join `o`.`u`)", b"select 1 from (`t` `z` join `u`)"),
        (b"select `o`.`t` from `x` `o`", b"select `o`.`t` from `x` `o`"),
        (b"select 1 from `o`.`other`", b"select 1 from `o`.`other`"),
        (b"select '`o`.`t`' from `p`.`t`", b"select '`o`.`t`' from `p`.`t`"),
    ],
)
def test_tables_lose_the_name_of_the_database(made: bytes, kept: bytes) -> None:
    """Given a view that reads a table by its database, when it is read, then by the table's own name alone."""
    assert unqualified(made, "o", set(), {b"t", b"u"}) == kept


@pytest.mark.parametrize(
    ("made", "kept"),
    [
        (
            "CREATE DEFINER=`a`@`%` TRIGGER s.t BEFORE INSERT ON s.u FOR",
            "CREATE DEFINER=`a`@`%` TRIGGER t BEFORE INSERT ON u FOR",
        ),
        ("CREATE TRIGGER `s`.`t`  after update on `s` . `u` for", "CREATE TRIGGER `t`  after update on `u` for"),
        ('CREATE TRIGGER "s"."t.x" AFTER DELETE\nON "u.v" FOR', 'CREATE TRIGGER "t.x" AFTER DELETE\nON "u.v" FOR'),
        (
            "CREATE TRIGGER t BEFORE INSERT ON u FOR SET @a = s.b",
            "CREATE TRIGGER t BEFORE INSERT ON u FOR SET @a = s.b",
        ),
    ],
)
def test_a_trigger_belongs_to_the_database_in_which_it_is_made(made: str, kept: str) -> None:
    """Given a trigger that was typed with its database, when it is read, then without, and nothing else differs."""
    assert without_database(made.encode()) == kept.encode()


def test_a_trigger_typed_with_its_database(kind: str, database: Make, tmp_path: Path) -> None:
    """Given a trigger typed with the name of its database, when it is restored beside, then it is there and works."""
    url, to = database(), database()
    name = urlsplit(url).path[1:]
    run(
        url, "CREATE TABLE t (a INT)", f"CREATE TRIGGER {name}.g BEFORE INSERT ON `{name}`.t FOR EACH ROW SET NEW.a = 7"
    )
    with snapshot(url, how="own", workspace=tmp_path) as read:
        kept = keep(read)
    MysqlTarget(to, tmp_path).restore(kept, unreported)
    run(to, "INSERT INTO t VALUES (1)")
    assert rows(to, "SELECT * FROM t") == ((7,),)


def test_an_event_runs_only_where_it_ran(kind: str, database: Make, tmp_path: Path) -> None:
    """Given an event, when it is restored under another name, then it does not run; under the same one it does."""
    url, to = database(), database()
    run(url, "CREATE TABLE t (a INT)", "CREATE EVENT e ON SCHEDULE EVERY 1 DAY COMMENT 'ENABLE' DO DELETE FROM t")
    with snapshot(url, how="own", workspace=tmp_path) as read:
        kept = keep(read)
        assert isinstance(read, Noting)
        assert any("events are restored disabled" in note for note in read.notes)
    for place, status in ((to, "DISABLED"), (url, "ENABLED")):
        MysqlTarget(place, tmp_path).restore(kept, unreported)
        asked = "SELECT status FROM information_schema.events WHERE event_schema = DATABASE()"
        assert rows(place, asked) == ((status,),)


def test_what_is_no_event_is_not_disabled() -> None:
    """Given a statement with the words of an event in it, when events are disabled, then it stays as it is."""
    for text in (b"INSERT INTO t VALUES ('CREATE EVENT e ON COMPLETION PRESERVE ENABLE')", b"CREATE TABLE t (a INT)"):
        assert disabled(text) == text


@pytest.mark.mysql
def test_what_shows_the_rows_of_others_is_refused(mariadb_url: str, tmp_path: Path) -> None:
    """Given a table that shows the rows of others, when a backup is taken, then it is refused by name."""
    run(mariadb_url, "CREATE TABLE t (a INT) ENGINE=MyISAM", "CREATE TABLE m (a INT) ENGINE=MERGE UNION=(t)")
    with pytest.raises(BackupFailed, match=r"m \(MRG_MyISAM\)"), snapshot(mariadb_url, workspace=tmp_path):
        pass
