"""A database that is hard to back up, what is in it value by value, and a backup that lies in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

from postrmagic_core.backups.interface import DatabaseFacts, Entry, Manifest, Snapshot

ANYTHING = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES"


def connect(url: str, **options: Any) -> Any:
    """A connection of the test's own, in UTC, which may store what no strict session would."""
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname or "",
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path.lstrip("/"),
        charset="utf8mb4",
        autocommit=True,
        ssl_disabled=True,
        init_command=f"SET time_zone = '+00:00', sql_mode = '{ANYTHING}'",
        **options,
    )


def run(url: str, *statements: str | bytes) -> None:
    """Run each."""
    connection = connect(url)
    try:
        for statement in statements:
            try:
                connection.query(statement)
            except pymysql.Error as error:
                raise AssertionError(f"{error}: {statement[:500]!r}") from error
    finally:
        connection.close()


def rows(url: str, query: str) -> tuple[tuple[Any, ...], ...]:
    """All rows of a query."""
    connection = connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return tuple(cursor.fetchall())
    finally:
        connection.close()


STATEMENTS: list[str | bytes] = [
    # Values.
    """CREATE TABLE numbers (id INT PRIMARY KEY AUTO_INCREMENT, f FLOAT, d DOUBLE, f2 FLOAT(7,2), d3 DECIMAL(65,30),
    b1 BIT(1), b64 BIT(64), u BIGINT UNSIGNED, z INT(10) ZEROFILL, y YEAR, t TINYINT(1))""",
    """INSERT INTO numbers VALUES (0, 16777216.0, -0e0, 1.1, -0.000000000000000000000000000001, 0, 0,
    18446744073709551615, 7, 0, -128)""",
    """INSERT INTO numbers VALUES (5, 1.17549435e-38, 1.7976931348623157e308, 99999.99,
    99999999999999999999999999999999999.999999999999999999999999999999, 1, 0x8000000000000001,
    0, 4294967295, 1901, 1)""",
    "INSERT INTO numbers VALUES (6, 8388609, 4.9e-324, NULL, NULL, NULL, 0x5C27, NULL, NULL, 2155, NULL)",
    "INSERT INTO numbers VALUES (7, -0e0, 0.1, 0, 0, NULL, 0, NULL, NULL, NULL, NULL)",
    "INSERT INTO numbers VALUES (-3, 0.1, 123456789.123456789, 0, 0, NULL, 0, NULL, NULL, NULL, NULL)",
    "ALTER TABLE numbers AUTO_INCREMENT = 4711",
    """CREATE TABLE times (d DATE, t TIME(6), dt DATETIME(6), ts TIMESTAMP(6) NULL, old DATETIME)""",
    """INSERT INTO times VALUES ('0000-00-00', '-838:59:59', '0000-00-00 00:00:00', '2038-01-19 03:14:07.999999',
    '2001-02-31 00:00:00'), (NULL, NULL, NULL, NULL, NULL),
    ('9999-12-31', '00:00:00.000001', '2026-03-29 02:30:00.123456', '1970-01-01 00:00:01', '2000-00-15 01:02:03')""",
    # Text and bytes.
    """CREATE TABLE texts (id INT PRIMARY KEY, u VARCHAR(200), l VARCHAR(200) CHARACTER SET latin1,
    s VARCHAR(50) CHARACTER SET sjis, w VARCHAR(50) CHARACTER SET utf16, c CHAR(10) CHARACTER SET ucs2,
    e ENUM('a','b''c','\\\\','ä'), st SET('x','y','z,w'), j JSON, g GEOMETRY) COLLATE utf8mb4_unicode_ci""".replace(
        "'z,w'", "'zw'"
    ),
    b"INSERT INTO texts VALUES (1, 'a\\0b\\n\\r\\Z\\\\''\"`;\\t', _latin1 0x41808D9DFF, _sjis 0x955C5C, "
    b"'x\\'y', 'ab  ', "
    b"'b\\'c', 'x,y', '{\"a\": [1, 1.5, \"\\\\\\\\n\", null, true]}', ST_GeomFromText('POINT(1 -2.5)', 4326))",
    "INSERT INTO texts VALUES (2, '\U0001f600 ä ; -- /* */ DELIMITER', 'ä€', 'ソ表', '\U0001f600', '', "
    "'ä', '', '[]', NULL)",
    "INSERT INTO texts VALUES (3, '', '', '', '', '', '', 'x,y,zw', 'null', NULL)",
    "INSERT INTO texts VALUES (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "CREATE TABLE bytes (b BINARY(4), v VARBINARY(300), lb LONGBLOB, lt LONGTEXT)",
    "INSERT INTO bytes VALUES (0x00, '', '', ''), (0x5C275C27, 0x00275C22FF1A0A0D, NULL, NULL)",
    "INSERT INTO bytes SELECT 1, x'', REPEAT(x'27', 2500000), REPEAT('\\'ä\\\\', 700000)",
    # Shapes.
    "CREATE TABLE `select` (`from` INT, ```a\nb;` VARCHAR(10) COMMENT 'it''s; -- a \\\\ comment\n/*', `ü` INT) "
    "COMMENT='DELIMITER ;;'",
    "INSERT INTO `select` VALUES (1, 'x', 2), (1, 'x', 2), (NULL, NULL, NULL)",
    "CREATE TABLE `we``ird\nname; -- /*` (a INT)",
    "INSERT INTO `we``ird\nname; -- /*` VALUES (1)",
    "CREATE TABLE empty_one (a INT)",
    """CREATE TABLE computed (a INT, v INT AS (a * 2) VIRTUAL, s VARCHAR(20) AS (CONCAT(a, '!')) STORED,
    hidden INT DEFAULT 5 INVISIBLE, CONSTRAINT positive CHECK (a > 0), KEY (s))""",
    "INSERT INTO computed (a, hidden) VALUES (1, 10), (2, DEFAULT), (3, NULL)",
    """CREATE TABLE parted (a INT NOT NULL, b INT, PRIMARY KEY (a)) PARTITION BY RANGE (a)
    (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)""",
    "INSERT INTO parted VALUES (1, 1), (100, 2)",
    # Foreign keys in a ring, and to a table whose name comes later.
    "CREATE TABLE a_child (id INT PRIMARY KEY, parent INT)",
    "CREATE TABLE z_parent (id INT PRIMARY KEY, child INT, CONSTRAINT up FOREIGN KEY (child) REFERENCES a_child (id))",
    "INSERT INTO a_child VALUES (1, 1), (2, NULL)",
    "INSERT INTO z_parent VALUES (1, 1)",
    "ALTER TABLE a_child ADD CONSTRAINT down FOREIGN KEY (parent) REFERENCES z_parent (id) ON DELETE SET NULL",
    # What runs.
    "CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2",
    """CREATE PROCEDURE many(IN n INT) COMMENT 'it''s' BEGIN DECLARE i INT DEFAULT 0;
    /* a ; -- comment */ WHILE i < n DO INSERT INTO empty_one VALUES (i); SET i = i + 1; END WHILE;
    DELETE FROM empty_one; END""",
    "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
    r"""CREATE FUNCTION odd() RETURNS VARCHAR(20) DETERMINISTIC BEGIN DECLARE "x;" INT; RETURN 'a\'; END""",
    f"SET sql_mode = '{ANYTHING}'",
    "CREATE VIEW a_view AS SELECT v.twice, n.id FROM numbers n JOIN (SELECT 1 AS twice) v",
    "CREATE VIEW z_view AS SELECT 1 AS one, '`x`.`twice`(' AS text, 'it''s' AS `a b`",
    "CREATE OR REPLACE SQL SECURITY INVOKER VIEW a_view AS SELECT twice(z.one) AS two, z.text FROM z_view z",
    """CREATE TRIGGER after_child BEFORE INSERT ON a_child FOR EACH ROW BEGIN SET NEW.id = NEW.id + 1000; END""",
    """CREATE TRIGGER b_child BEFORE INSERT ON a_child FOR EACH ROW SET NEW.id = NEW.id * 2""",
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE DO DELETE FROM empty_one",
    "CREATE TABLE app_alembic (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
    "INSERT INTO app_alembic VALUES ('0122'), ('abc')",
]

OF_MYSQL: list[str | bytes] = [
    "CREATE TABLE vectors (id INT PRIMARY KEY, v VECTOR(3), p POINT NOT NULL SRID 4326, e INT DEFAULT (1 + 2))",
    "INSERT INTO vectors VALUES (1, STRING_TO_VECTOR('[1,-2.5,3]'), ST_GeomFromText('POINT(1 2)', 4326), DEFAULT)",
    """CREATE TABLE indexed (j JSON, t VARCHAR(20) COLLATE utf8mb4_0900_as_ci, n INT,
    KEY many ((CAST(j->'$[*]' AS UNSIGNED ARRAY))), KEY lower ((LOWER(t))), KEY down (t DESC),
    CONSTRAINT loose CHECK (n > 5) NOT ENFORCED)""",
    """INSERT INTO indexed VALUES ('[1, 2]', 'a', 1), ('{"d": 0.1, "e": 1e300, "u": "\\u00e4"}', '', NULL)""",
]
OF_MARIADB: list[str | bytes] = [
    "CREATE SEQUENCE numbered START WITH 100 INCREMENT BY 5",
    "SELECT NEXTVAL(numbered)",
    "CREATE TABLE by_sequence (id INT DEFAULT NEXTVAL(numbered), u UUID, i6 INET6, i4 INET4)",
    "INSERT INTO by_sequence (u, i6, i4) VALUES (UUID(), '::1', '10.0.0.1'), (NULL, NULL, NULL)",
    "CREATE TABLE versioned (a INT PRIMARY KEY, t VARCHAR(10)) WITH SYSTEM VERSIONING",
    "INSERT INTO versioned VALUES (1, 'one'), (2, 'two')",
    "UPDATE versioned SET t = 'uno' WHERE a = 1",
    "DELETE FROM versioned WHERE a = 2",
    "CREATE TABLE checked (n INT CHECK (n > 5))",
    "SET check_constraint_checks = 0",
    "INSERT INTO checked VALUES (1)",
    "CREATE TABLE all_computed (a INT AS (1 + 1) VIRTUAL)",
    "INSERT INTO all_computed VALUES (DEFAULT), (DEFAULT)",
    "SET sql_mode = 'ORACLE'",
    "CREATE PACKAGE bundle AS FUNCTION one RETURN INT; END",
    "CREATE PACKAGE BODY bundle AS FUNCTION one RETURN INT AS BEGIN RETURN 1; END; END",
]


def build(url: str, kind: str) -> None:
    """Make the hostile database."""
    run(url, *STATEMENTS, *(OF_MARIADB if kind == "mariadb" else OF_MYSQL))


def state(url: str) -> dict[str, Any]:
    """Everything that can be seen of a database, each value as its bytes."""
    database = urlsplit(url).path.lstrip("/")
    found: dict[str, Any] = {"": rows(url, "SELECT @@character_set_database, @@collation_database")}
    tables = rows(
        url, f"SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = '{database}'"
    )
    for name, kind in tables:
        quoted = "`" + name.replace("`", "``") + "`"
        what = {"VIEW": "VIEW", "SEQUENCE": "SEQUENCE"}.get(kind, "TABLE")
        made = [_normal(value, database) for value in rows(url, f"SHOW CREATE {what} {quoted}")[0][:2]]
        former = " FOR SYSTEM_TIME ALL" if kind == "SYSTEM VERSIONED" else ""
        columns = _columns(url, database, name) + (["ROW_START", "ROW_END"] if former else [])
        asked = ", ".join(f"HEX({column})" for column in columns)
        held = rows(url, f"SELECT {asked} FROM {quoted}{former}") if columns else ()
        found[f"{kind} {name}"] = (made, sorted(held, key=repr))
    routines = ("PROCEDURE", "FUNCTION", "PACKAGE", "PACKAGE BODY")
    for kind, table in (*((kind, "routine") for kind in routines), ("TRIGGER", "trigger"), ("EVENT", "event")):
        narrowed = f" AND routine_type = '{kind}'" if table == "routine" else ""
        names = rows(
            url,
            f"SELECT {table}_name FROM information_schema.{table}s WHERE {table}_schema = '{database}'{narrowed}",
        )
        for (name,) in names:
            made = [str(value) for value in rows(url, f"SHOW CREATE {kind} `{name}`")[0]]
            found[f"{kind} {name}"] = made[:6] if kind == "TRIGGER" else made
    found["order"] = rows(
        url,
        "SELECT trigger_name, action_order FROM information_schema.triggers "
        f"WHERE trigger_schema = '{database}' ORDER BY 1",
    )
    return found


def _normal(text: str, database: str) -> str:
    # MySQL tells a character set that was written out, also where the table's is the same.
    return text.replace(f"`{database}`.", "").replace("CHARACTER SET utf8mb4 ", "")


def _columns(url: str, database: str, table: str) -> list[str]:
    connection = connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = %s "
                "AND table_name = %s ORDER BY ordinal_position",
                (database, table),
            )
            found = [("`" + name.replace("`", "``") + "`", kind) for name, kind in cursor.fetchall()]
    finally:
        connection.close()
    # HEX of a number rounds it: as text it is exact, once a FLOAT is a DOUBLE.
    exact = {
        "float": "CONCAT(CAST({} AS DOUBLE))",
        "double": "CONCAT({})",
        "decimal": "CONCAT({})",
        "geometry": "CAST({} AS BINARY)",
    }
    return [exact.get(kind, "CAST({} AS BINARY)").format(name) for name, kind in found]


@dataclass
class Kept:
    """A backup in memory, as :class:`postrmagic_core.backups.interface.Archive` is one."""

    manifest: Manifest
    parts: dict[str, bytes] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    def blocks(self, entry: Entry, skip: int = 0) -> Iterator[bytes]:
        """In small pieces, of no shape."""
        self.read.append(entry.name)
        text = self.parts[entry.name]
        for at in range(skip, len(text), 65521):
            yield text[at : at + 65521]


def keep(snapshot: Snapshot, name: str = "b1") -> Kept:
    """All of a snapshot."""
    parts = {part.name: b"".join(part.blocks) for part in snapshot.parts()}
    return Kept(described(name, snapshot.facts, parts), parts)


def described(name: str, facts: DatabaseFacts, parts: dict[str, bytes]) -> Manifest:
    """The manifest of parts."""
    entries: Sequence[Entry] = [
        Entry(part, len(text), hashlib.sha256(text).hexdigest(), 0, 0) for part, text in parts.items()
    ]
    return Manifest(name, datetime(2026, 1, 1, tzinfo=UTC), "test", "1", facts, (), entries)
