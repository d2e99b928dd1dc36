"""SQL that a revision executes, read without running it: statements, their names, and what is no statement at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from postrmagic_core.database.compatibility import changes as c
from postrmagic_core.database.compatibility.compatible import judge
from postrmagic_core.database.compatibility.rules import RULES
from postrmagic_core.database.compatibility.statements import read
from tests.database.histories import written
from tests.database.judged import SHOP, Shop, cases, shop  # noqa: F401 - pytest looks for fixtures here

REFUSED = {
    "DROP TABLE items": "drop-table",
    "drop table if exists `items`": "drop-table",
    "Drop\n\tTable /* sure */ [items]": "drop-table",
    "-- tidy\nDROP TABLE items": "drop-table",
    "/* drop */ DROP /* it */ TABLE items;": "drop-table",
    "SELECT ';'; DROP TABLE items": "drop-table",
    "UPDATE shops SET town = 'it''s; fine'; DROP TABLE items": "drop-table",
    'DROP TABLE "items", other': "drop-table",
    "ALTER TABLE shops DROP COLUMN town": "drop-column",
    "ALTER TABLE shops ADD street TEXT, DROP town": "drop-column",
    "ALTER TABLE shops CHANGE town city VARCHAR(20)": "rename-column",
    "ALTER TABLE shops CHANGE COLUMN `town` `city` VARCHAR(20) NULL": "rename-column",
    "ALTER TABLE shops RENAME COLUMN town TO city": "rename-column",
    "ALTER TABLE shops RENAME town TO city": "rename-column",
    "ALTER TABLE shops RENAME TO stores": "rename-table",
    "ALTER TABLE shops RENAME stores": "rename-table",
    "RENAME TABLE x TO y, shops TO stores": "rename-table",
    "ALTER TABLE shops MODIFY name VARCHAR(10) NOT NULL": "change-type",
    "ALTER TABLE shops MODIFY stars INTEGER NOT NULL": "change-default",
    "ALTER TABLE shops MODIFY town VARCHAR(20) NOT NULL": "set-not-null",
    "ALTER TABLE unknown MODIFY town VARCHAR(20)": "unknown-type",
    "ALTER TABLE shops ADD COLUMN street VARCHAR(9) NOT NULL": "add-not-null",
    "ALTER TABLE shops ADD (a INT, b INT NOT NULL)": "add-not-null",
    "ALTER TABLE shops ADD a INT NOT NULL DEFAULT NULL": "add-not-null",
    "ALTER TABLE shops ADD a INT DEFAULT 1 UNIQUE": "add-unique",
    "ALTER TABLE shops ADD a INT DEFAULT 1 REFERENCES items (id)": "add-foreign-key",
    "ALTER TABLE shops ADD a INT CHECK (a > 0)": "add-check",
    "ALTER TABLE shops ADD UNIQUE INDEX u (town)": "add-unique",
    "ALTER TABLE shops ADD CONSTRAINT u UNIQUE (town)": "add-unique",
    "ALTER TABLE shops ADD CONSTRAINT f FOREIGN KEY (town) REFERENCES towns (n) ON DELETE CASCADE": "add-foreign-key",
    "ALTER TABLE shops ADD CHECK (stars < 6)": "add-check",
    "ALTER TABLE shops DROP PRIMARY KEY, ADD PRIMARY KEY (name)": "change-primary-key",
    "ALTER TABLE shops DROP INDEX uq_shops_name": "drop-unique",
    "ALTER TABLE items DROP FOREIGN KEY fk_items_shop": "drop-constraint",
    "ALTER TABLE shops DROP CONSTRAINT ck_shops_stars": "drop-constraint",
    "ALTER TABLE shops ALTER COLUMN stars DROP DEFAULT": "change-default",
    "ALTER TABLE shops ALTER stars SET DEFAULT 7": "change-default",
    "CREATE UNIQUE INDEX u ON shops (town)": "add-unique",
    "CREATE UNIQUE INDEX IF NOT EXISTS u ON shops (town(5) DESC)": "add-unique",
    "DROP INDEX ux_items_price": "drop-unique",
    "DROP INDEX ux_items_price ON items": "drop-unique",
    "CREATE DEFINER=`root`@`localhost` TRIGGER t BEFORE UPDATE ON shops FOR EACH ROW BEGIN SET @a = 1; END": "trigger",
    "CREATE OR REPLACE TABLE shops (id INT)": "drop-table",
    "DROP VIEW IF EXISTS v": "drop-view",
    "DROP DATABASE shop": "unread-sql",
    "PRAGMA writable_schema = 1": "unread-sql",
    "SET GLOBAL sql_mode = ''": "unread-sql",
    "GRANT ALL ON *.* TO x": "unread-sql",
    "ALTER TABLE shops PARTITION BY HASH (id)": "unread-sql",
    "ALTER TABLE shops ADD": "unread-sql",
    "ALTER TABLE": "unread-sql",
    "DROP": "unread-sql",
    "'": "unread-sql",
    "EXECUTE IMMEDIATE 'DROP TABLE shops'": "unread-sql",
    "PREPARE x FROM 'DROP TABLE shops'": "unread-sql",
    "BEGIN NOT ATOMIC DROP TABLE items; END": "unread-sql",
    "SET STATEMENT max_statement_time = 1 FOR DROP TABLE items": "unread-sql",
    "ANALYZE DELETE FROM items": "unread-sql",
    "ANALYZE FORMAT=JSON UPDATE shops SET town = 1": "unread-sql",
    "EXPLAIN ANALYZE UPDATE shops SET town = 1": "unread-sql",
    "IF 1 THEN DROP TABLE items; END IF": "unread-sql",
    "PRAGMA writable_schema(1)": "unread-sql",
    "PRAGMA main.user_version = 3": "unread-sql",
    "LOAD DATA INFILE 'x' REPLACE INTO TABLE items": "unread-sql",
    "CREATE TEMPORARY TABLE shops (id INT)": "unread-sql",
    "ALTER TABLE shops WAIT 10 DROP COLUMN town": "drop-column",
    "ALTER TABLE shops NOWAIT DROP COLUMN town": "drop-column",
    "ALTER TABLE shops LOCK=NONE DROP COLUMN town": "unread-sql",
    "ALTER TABLE shops MODIFY id BIGINT NOT NULL": "change-primary-key",
    "ALTER TABLE shops ENGINE=MyISAM": "unread-sql",
    "ALTER TABLE shops ADD SYSTEM VERSIONING": "unread-sql",
    "ALTER TABLE shops ADD COLUMN IF NOT EXISTS town VARCHAR(20); ALTER TABLE shops DROP town": "drop-column",
    "CREATE INDEX IF NOT EXISTS ux_items_price ON items (price); DROP INDEX ux_items_price ON items": "drop-unique",
    "CREATE VIEW IF NOT EXISTS v AS SELECT 1; DROP VIEW v": "drop-view",
    "CREATE OR REPLACE TRIGGER t AFTER INSERT ON shops FOR EACH ROW SET @a = 1": "drop-trigger",
}
PASSED = [
    "",
    ";;",
    "-- DROP TABLE items",
    "/* DROP TABLE items */",
    "SELECT 'DROP TABLE items'",
    'SELECT "; DROP TABLE items"',
    "INSERT INTO items (id, shop_id, price) VALUES (1, 1, 'DROP TABLE shops; --')",
    "INSERT INTO items SELECT * FROM shops",
    "CREATE TABLE carts (id INTEGER PRIMARY KEY, note TEXT DEFAULT 'a;b', UNIQUE (note))",
    "CREATE TABLE IF NOT EXISTS carts (id INT); ALTER TABLE carts DROP COLUMN id",
    "CREATE VIRTUAL TABLE found USING fts5(a, b); DROP TABLE found",
    "CREATE INDEX IF NOT EXISTS ix ON shops (town, name DESC)",
    "CREATE FULLTEXT INDEX ft ON shops (name)",
    "ALTER TABLE shops ADD COLUMN street VARCHAR(9) NULL AFTER town, ALGORITHM=INPLACE, LOCK=NONE",
    "ALTER TABLE shops ADD note TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE shops ADD total INT GENERATED ALWAYS AS (stars + 1) STORED",
    "ALTER TABLE shops ADD INDEX ix (town)",
    "ALTER TABLE shops WAIT 10 ADD COLUMN street TEXT, COMMENT 'x', ALGORITHM=INPLACE",
    "ALTER TABLE shops ADD a INT UNIQUE",
    "ALTER TABLE shops RENAME INDEX ix_shops_town TO ix_town",
    "CREATE VIEW v AS SELECT * FROM shops",
    "CREATE VIEW v AS SELECT 1; DROP VIEW v; CREATE VIEW V AS SELECT 2; CREATE OR REPLACE VIEW V AS SELECT 3",
    "CREATE TABLE n (id INT); CREATE TRIGGER t AFTER INSERT ON n BEGIN DELETE FROM n; END; DROP TRIGGER t",
    "WITH x AS (SELECT 1) SELECT * FROM x",
    "SET foreign_key_checks = 0",
    "PRAGMA table_info(shops)",
    "PRAGMA main.foreign_keys = OFF",
    "BEGIN IMMEDIATE; COMMIT",
    "START TRANSACTION READ ONLY; END TRANSACTION",
    "EXPLAIN SELECT * FROM shops",
    "ANALYZE TABLE shops",
]
NOTED = {
    "UPDATE shops SET town = 'x'": "write-rows",
    "UPDATE shops, items SET town = 'x'": "write-rows",
    "INSERT INTO shops (id) VALUES (1) ON DUPLICATE KEY UPDATE id = 2": "write-rows",
    "INSERT OR REPLACE INTO shops (id) VALUES (1)": "write-rows",
    "REPLACE INTO shops (id) VALUES (1)": "write-rows",
    "DELETE FROM shops WHERE town = 'DROP TABLE'": "delete-rows",
    "DELETE a FROM shops a JOIN items b ON a.id = b.id": "delete-rows",
    "WITH x AS (SELECT id FROM shops) DELETE FROM items WHERE id IN (SELECT id FROM x)": "delete-rows",
    "TRUNCATE TABLE items": "delete-rows",
    "DROP INDEX ix_shops_town": "drop-index",
    "ALTER TABLE shops ENGINE=InnoDB": "copies-table",
    "CREATE TABLE visits (shop_id INT, FOREIGN KEY (shop_id) REFERENCES shops (id))": "refers-to",
    "CREATE TABLE visits (shop_id INT REFERENCES shops)": "refers-to",
}


@pytest.mark.parametrize(
    "made",
    [
        'op.execute("CREATE FULLTEXT INDEX ft ON shops (name)")',
        'op.execute("ALTER TABLE shops ADD FULLTEXT INDEX ft (name)")',
        'op.create_index("ft", "shops", ["name"], mysql_prefix="FULLTEXT")',
    ],
)
def test_an_index_that_is_searched_by_is_no_matter_of_speed(tmp_path: Path, made: str) -> None:
    """Given one that the running release knows, when it is dropped, then it is refused; not one that is new."""
    history = written(tmp_path, {"r1": (SHOP, ""), "r2": (made, ""), "r3": ('op.drop_index("ft", "shops")', "")})
    assert [one.rule.name for one in judge(history, ["r2"], ["mysql"]).findings] == ["drop-fulltext"]
    assert judge(history, ["r1"], ["mysql"]).compatible


@pytest.mark.parametrize(("sql", "rule"), REFUSED.items())
def test_sql_that_breaks_the_running_release_is_refused(sql: str, rule: str) -> None:
    """However it is spelt, commented and quoted; what is not understood is said to be not understood."""
    assert rule in cases(sql)
    assert RULES[rule].verdict != "note"


@pytest.mark.parametrize("sql", PASSED)
def test_sql_that_only_adds_or_reads_is_let_through(sql: str) -> None:
    """Strings and comments hold no statements."""
    assert cases(sql) == []


@pytest.mark.parametrize(("sql", "rule"), NOTED.items())
def test_sql_that_one_should_know_of_is_noted(sql: str, rule: str) -> None:
    """Rows that are written, indexes that go, tables that are copied."""
    assert cases(sql) == [rule]
    assert RULES[rule].verdict == "note"


def test_a_server_reads_what_others_take_for_a_comment_or_a_string() -> None:
    """Given `/*! … */`, a backslash or `#`, when judged for each database, then as that database reads it."""
    executed = "/*!50000 DROP TABLE items */"
    assert cases(executed, ["mysql"]) == ["drop-table"]
    assert cases("/*M!100100 DROP TABLE items */", ["mysql"]) == ["drop-table"]
    assert cases(executed, ["sqlite"]) == []
    escaped = r"UPDATE x SET a = '\'; DROP TABLE items; --'"
    assert cases(escaped, ["mysql"]) == ["write-rows"]
    assert cases(escaped, ["sqlite"]) == ["drop-table", "write-rows"]
    assert cases("# DROP TABLE items\nSELECT 1", ["mysql"]) == []
    assert cases("SELECT 5 --7\n; DROP TABLE items", ["mysql"]) == ["drop-table"]


def test_a_body_of_statements_is_one_statement() -> None:
    """Given a trigger, when read, then the semicolons of its body end nothing, and what comes after it is read."""
    trigger = "CREATE TRIGGER t AFTER INSERT ON shops BEGIN DELETE FROM items; SELECT CASE 1 WHEN 2 THEN 3 END; END"
    told: list[c.Change] = [c.AddNamed("trigger", "t", "shops")]
    assert read(trigger, "sqlite") == told
    assert read(f"{trigger}; DROP TABLE items", "sqlite") == [*told, c.DropTable("items")]
    conditional = "CREATE TRIGGER t BEFORE INSERT ON shops FOR EACH ROW BEGIN IF 1 THEN SET @a = 1; END IF; END"
    assert read(f"{conditional}; DROP TABLE items", "mysql") == [*told, c.DropTable("items")]
    single = "CREATE TRIGGER t BEFORE INSERT ON shops FOR EACH ROW SET @a = 1; DROP TABLE items"
    assert read(single, "mysql") == [*told, c.DropTable("items")]


def test_a_body_that_never_ends_hides_nothing() -> None:
    """Given a trigger on a new table whose body is left open, when judged, then what follows is not let through."""
    begun = "CREATE TABLE mine (id INT); CREATE TRIGGER t AFTER INSERT ON mine BEGIN SELECT 1; "
    assert cases(f"{begun} DROP TABLE items") == ["unread-sql"]
    assert cases(f"{begun} END; DROP TABLE items") == ["drop-table"]
    assert cases(f"{begun} END") == []


def test_sqlalchemys_statements_are_read_as_their_text(shop: Shop) -> None:  # noqa: F811 - the fixture imported
    """Core constructs, DDL elements and text() come to the same as strings; f-strings are what they became."""
    assert shop.rules('op.execute(sa.text("DROP TABLE items"))') == ["drop-table"]
    assert shop.rules('op.execute(sa.schema.DropTable(sa.Table("items", sa.MetaData())))') == ["drop-table"]
    assert shop.rules('t = sa.table("items", sa.column("id"))\nop.execute(t.delete().where(t.c.id == 1))') == [
        "delete-rows"
    ]
    assert shop.rules('name = "items"\nop.execute(f"DROP TABLE {name}")') == ["drop-table"]
    assert shop.rules('op.execute("DROP " + "TA" + "BLE items")') == ["drop-table"]
    assert shop.rules("op.execute(b'DROP TABLE items')") == ["unread-sql"]


def test_many_statements_cost_little() -> None:
    """A script of thousands of rows is read in one pass, and one of open parentheses ends."""
    rows = "INSERT INTO items VALUES " + ", ".join(["(1, 'x; y', 2)"] * 5_000)
    assert len(read(f"{rows};" * 2, "mysql")) == 2
    assert read("CREATE TABLE x " + "(" * 10_000, "sqlite") != []
    assert read("'" * 10_001, "sqlite") != []
