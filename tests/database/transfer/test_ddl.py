"""Statements from a plan: as written, and as each server takes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from postrmagic_core.database.transfer.copying import ddl
from postrmagic_core.database.transfer.interface import (
    CheckPlan,
    ForeignKeyPlan,
    IndexPart,
    IndexPlan,
    Server,
    TablePlan,
)
from postrmagic_core.database.transfer.server import Target
from postrmagic_core.database.transfer.session import Session
from tests.database.transfer.handmade import HIDDEN, MARIADB, MYSQL, column, serial, table, words


def posts(server: Server) -> TablePlan:
    """A table with everything that a plan can ask for."""
    title = words("title", server=server, nullable=False, default="('it''s 5%')")
    slug = words("pm_ix_slug", server=server, generated="CASE WHEN `n` > 0 THEN `title` END", hidden=True)
    return table(
        "posts",
        serial(),
        title,
        column("by", target="b`y"),
        column("n"),
        slug,
        column("twice", generated="`n` * 2", stored=True, nullable=False),
        column("at", "DATETIME(3)", default="(UTC_TIMESTAMP())"),
        indexes=(
            IndexPlan("ix_title", "ix_title", (IndexPart("title", 10), IndexPart("id", descending=True))),
            IndexPlan("ux_slug", "ux_slug", (IndexPart("pm_ix_slug"),), unique=True),
        ),
        foreign_keys=(ForeignKeyPlan("fk_by", ("b`y",), "users", ("id",), "CASCADE", "NO ACTION"),),
        checks=(CheckPlan("ck_n", "n <> 13", "`n` <> 13"),),
        auto_increment=77,
    )


def test_a_table_is_made_with_its_columns_and_its_key() -> None:
    """Everything else comes later; MariaDB takes no NOT NULL on a column that it computes."""
    made = ddl.create_table(posts(MARIADB), MARIADB)
    assert made.startswith("CREATE TABLE IF NOT EXISTS `posts` (\n  `id` BIGINT NOT NULL AUTO_INCREMENT,\n")
    assert "`title` VARCHAR(191) COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT ('it''s 5%')" in made
    assert "`b``y` BIGINT NULL" in made
    assert "`twice` BIGINT GENERATED ALWAYS AS (`n` * 2) STORED,\n" in made
    assert "`twice` BIGINT GENERATED ALWAYS AS (`n` * 2) STORED NOT NULL" in ddl.create_table(posts(MYSQL), MYSQL)
    assert made.endswith(
        "  PRIMARY KEY (`id`)\n) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
    )


def test_what_is_there_already_is_not_added_again() -> None:
    """By name, as the server compares them; nothing to add is no statement."""
    plan = posts(MARIADB)
    assert "ix_title" not in ddl.add_indexes(plan, ["IX_TITLE"])
    assert ddl.add_indexes(plan, ["ix_title", "ux_slug"]) == ""
    assert ddl.add_checks(plan, ["ck_n"]) == ""
    assert ddl.add_foreign_keys(plan, ["fk_by"]) == ""
    assert ddl.set_auto_increment(replace(plan, auto_increment=0)) == ""


def test_computed_columns_are_never_written() -> None:
    """Neither way of writing rows names them."""
    for statement in (ddl.insert(posts(MARIADB)), ddl.load_data(posts(MARIADB), "f")):
        assert "(`id`, `title`, `b``y`, `n`, `at`)" in statement


def test_parents_come_first() -> None:
    """A table comes after those it names; itself and a circle do not matter."""

    def key(parent: str) -> tuple[ForeignKeyPlan, ...]:
        return (ForeignKeyPlan(f"fk_{parent}", ("id",), parent, ("id",)),)

    tables = [
        table("leaf", serial(), foreign_keys=key("branch")),
        table("branch", serial(), foreign_keys=key("root")),
        table("hen", serial(), foreign_keys=key("egg")),
        table("egg", serial(), foreign_keys=key("hen")),
        table("root", serial(), foreign_keys=(*key("root"), *key("elsewhere"))),
    ]
    assert [each.name for each in ddl.parents_first(tables)] == ["root", "branch", "leaf", "egg", "hen"]


@pytest.mark.mysql
def test_each_server_takes_them(target: Target, session: Session, server: Server) -> None:
    """A table with all there is, made, filled, and completed; it then holds what was asked for."""
    plan = posts(server)
    for each in (table("users", serial()), plan):
        session.execute(ddl.create_table(each, server))
    session.execute("INSERT INTO users VALUES (1)")
    session.execute(ddl.insert(plan) + "(-1, 'a', 1, -1, NULL), (0, 'a', 1, 0, NULL), (3, 'a', NULL, 3, NULL)")
    session.commit()
    for add in (ddl.add_indexes, ddl.add_checks, ddl.add_foreign_keys):
        session.execute(add(plan))
    session.execute(ddl.set_auto_increment(plan))
    session.execute("INSERT INTO posts (title, n) VALUES ('b', 77)")
    assert session.rows("SELECT id, title, `b``y`, twice, pm_ix_slug FROM posts ORDER BY id") == (
        (-1, "a", 1, -2, None),
        (0, "a", 1, 0, None),
        (3, "a", None, 6, "a"),
        (77, "b", None, 154, "b"),
    )
    assert len(session.rows("SELECT * FROM posts")[0]) == 6
    assert session.rows("SELECT title FROM posts WHERE title = 'B'") == ()
    assert session.rows(ddl.orphan(plan, plan.foreign_keys[0])) == ()
    assert session.rows(ddl.offender(plan, plan.checks[0])) == ()


@pytest.mark.mysql
def test_a_row_without_a_parent_and_one_that_breaks_a_check_are_found(session: Session, server: Server) -> None:
    """By their keys."""
    plan = posts(server)
    for each in (table("users", serial()), plan):
        session.execute(ddl.create_table(each, server))
    session.execute("INSERT INTO posts (id, `b``y`, n) VALUES (12, NULL, 12), (13, 4, 13)")
    assert session.rows(ddl.orphan(plan, plan.foreign_keys[0])) == ((13,),)
    assert session.rows(ddl.offender(plan, plan.checks[0])) == ((13,),)


@pytest.mark.mysql
def test_the_hidden_row_number(session: Session, server: Server) -> None:
    """A table without a key gets one that nobody sees who does not ask."""
    plan = table("log", HIDDEN, column("n"), primary_key=(HIDDEN.target,))
    session.execute(ddl.create_table(plan, server))
    session.execute(ddl.insert(plan) + "(-3, 1), (9, 2)")
    session.execute("INSERT INTO log (n) VALUES (3)")
    assert session.rows("SELECT * FROM log ORDER BY pm_rowid") == ((1,), (2,), (3,))
    assert session.rows("SELECT MAX(pm_rowid) FROM log") == ((10,),)
