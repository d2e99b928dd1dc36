"""Revisions beside the release that runs: what it can live with, what it cannot, and what the revision says for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from postrmagic_core.database.compatibility.compatible import Dialect, judge, judge_pending, refuse_incompatible
from postrmagic_core.database.compatibility.judging import widens
from postrmagic_core.database.compatibility.rules import RULES
from postrmagic_core.database.migrating.interface import Migrations
from postrmagic_core.errors import ConfigurationError, IncompatibleChange, SchemaMismatch
from tests.database.histories import HEAD, written
from tests.database.judged import SHOP, Shop, shop  # noqa: F401 - pytest looks for fixtures here

BREAKING = {
    'op.drop_table("items")': "drop-table",
    'op.drop_column("shops", "town")': "drop-column",
    'op.rename_table("shops", "stores")': "rename-table",
    'op.alter_column("shops", "town", new_column_name="city")': "rename-column",
    'op.add_column("shops", sa.Column("street", sa.String(9), nullable=False))': "add-not-null",
    'op.add_column("shops", sa.Column("street", sa.String(9), nullable=False, default="x"))': "add-not-null",
    'op.add_column("shops", sa.Column("street", sa.String(9), server_default=sa.FetchedValue(), nullable=False))': (
        "add-not-null"
    ),
    'op.add_column("shops", sa.Column("n", sa.Integer, sa.Identity(), nullable=False))': "add-not-null",
    'op.alter_column("shops", "town", nullable=False)': "set-not-null",
    'op.alter_column("shops", "name", type_=sa.String(20))': "change-type",
    'op.alter_column("shops", "name", type_=sa.Integer)': "change-type",
    'op.alter_column("items", "price", type_=sa.Numeric(8, 1))': "change-type",
    'op.alter_column("shops", "stars", server_default=None)': "change-default",
    'op.alter_column("shops", "stars", server_default="5")': "change-default",
    'op.create_unique_constraint("uq", "shops", ["town"])': "add-unique",
    'op.create_index("ux", "shops", ["town"], unique=True)': "add-unique",
    'op.create_index("ux", "shops", [sa.text("lower(name)")], unique=True)': "add-unique",
    'op.add_column("shops", sa.Column("n", sa.Integer, server_default="1", unique=True))': "add-unique",
    'op.create_foreign_key("fk", "shops", "items", ["id"], ["id"])': "add-foreign-key",
    'op.create_check_constraint("ck", "shops", "stars < 6")': "add-check",
    'op.add_column("shops", sa.Column("n", sa.Integer, sa.CheckConstraint("n > 0")))': "add-check",
    'op.create_primary_key("pk", "shops", ["name"])': "change-primary-key",
    'op.drop_constraint("uq_shops_name", "shops", type_="unique")': "drop-unique",
    'op.drop_constraint("uq_shops_name", "shops")': "drop-unique",
    'op.drop_constraint("fk_items_shop", "items", type_="foreignkey")': "drop-constraint",
    'op.drop_constraint("ck_shops_stars", "shops")': "drop-constraint",
    'op.drop_index("ux_items_price", "items")': "drop-unique",
    'op.drop_index("uq_shops_name", "shops")': "drop-unique",
    'op.drop_index("nobody_knows", "shops")': "unknown-index",
    'op.alter_column("elsewhere", "x", type_=sa.Integer)': "unknown-type",
    'op.execute("CREATE TRIGGER t AFTER INSERT ON shops BEGIN DELETE FROM items; END")': "trigger",
    'op.execute("DROP TRIGGER t")': "drop-trigger",
    'op.execute("DROP VIEW v")': "drop-view",
    'op.execute("CREATE OR REPLACE VIEW v AS SELECT 1")': "drop-view",
    'with op.batch_alter_table("shops", copy_from=sa.Table("shops", sa.MetaData())) as b:\n    b.f("x")': "makes-anew",
    'op.get_bind().execute(sa.text("SELECT 1"))': "reads-database",
    "if not op.get_context().as_sql:\n    pass": "asks-offline",
    'open("/tmp/x", "w")': "reaches-out",
    'op.execute("CALL something()")': "unread-sql",
    'raise RuntimeError("no")': "stopped",
}
LIVED_WITH = {
    'op.add_column("shops", sa.Column("street", sa.String(9)))': [],
    'op.add_column("shops", sa.Column("open", sa.Boolean, server_default="1", nullable=False))': [],
    'op.add_column("shops", sa.Column("kind", sa.Integer, index=True))': [],
    'op.add_column("shops", sa.Column("code", sa.Integer, unique=True))': [],
    'op.create_index("ix", "shops", ["name", "town"])': [],
    'op.drop_index("ix_shops_town", "shops")': ["drop-index"],
    'op.alter_column("shops", "stars", existing_server_default="0", nullable=True)': ["set-nullable"],
    'op.alter_column("shops", "town", server_default="x")': [],
    'op.create_table_comment("shops", "where one buys")': [],
    'op.execute("UPDATE shops SET town = name")': ["write-rows"],
    'op.execute("DELETE FROM items")': ["delete-rows"],
    'op.bulk_insert(sa.table("shops", sa.column("id")), [{"id": 1}])': [],
    'op.create_table("visits", sa.Column("shop_id", sa.ForeignKey("shops.id", ondelete="CASCADE")))': [],
    'op.create_table("visits", sa.Column("shop_id", sa.ForeignKey("shops.id")))': ["refers-to"],
    'op.create_table("v", sa.Column("n", sa.Integer))\nop.create_foreign_key("fk", "v", "shops", ["n"], ["id"])': [
        "refers-to"
    ],
}


@pytest.mark.parametrize(("up", "rule"), BREAKING.items(), ids=range(len(BREAKING)))
def test_what_the_running_release_breaks_on_is_refused_with_its_line(shop: Shop, up: str, rule: str) -> None:  # noqa: F811 - the fixture imported
    """Given a schema that a release knows, when a revision takes or narrows a part of it, then its line is refused."""
    judgement = shop.judge(f"op.f('before')\n{up}")
    refused = [finding for finding in judgement.findings if finding.refused]
    assert rule in {finding.rule.name for finding in refused}
    assert {finding.rule.verdict for finding in refused} <= {"breaks", "untold"}
    assert not judgement.compatible
    path = Path(refused[0].file)
    assert path.name == "r1.py"
    assert path.read_text().splitlines()[refused[0].line - 1].strip() in up.splitlines()


def test_every_rule_that_refuses_has_a_case_here() -> None:
    """No rule stands in the catalogue that nothing shows to work."""
    refusing = {name for name, rule in RULES.items() if rule.verdict != "note"}
    assert refusing - set(BREAKING.values()) == {"no-reason", "unknown-operation", "drop-fulltext"}


@pytest.mark.parametrize(("up", "rules"), LIVED_WITH.items(), ids=range(len(LIVED_WITH)))
def test_what_only_adds_is_let_through(shop: Shop, up: str, rules: list[str]) -> None:  # noqa: F811 - the fixture imported
    """Columns that are nullable or defaulted, tables, plain indexes; what is worth knowing is noted."""
    judgement = shop.judge(up)
    assert judgement.compatible
    assert sorted({finding.rule.name for finding in judgement.findings}) == rules


def test_what_the_pending_revisions_made_themselves_may_be_changed_by_them(shop: Shop) -> None:  # noqa: F811 - the fixture imported
    """Given tables, columns and keys that no release knows, when a later revision alters or drops them, then it may."""
    assert (
        shop.rules(
            'op.create_table("carts", sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.Integer))\n'
            'op.add_column("shops", sa.Column("street", sa.String(9)))\n'
            'op.add_column("shops", sa.Column("zip", sa.String(9), server_default="0"))\n'
            'op.create_index("ux_street", "shops", ["street", "name"], unique=True)',
            'op.rename_table("carts", "baskets")\n'
            'op.alter_column("baskets", "n", new_column_name="count", nullable=False, type_=sa.SmallInteger)\n'
            'op.create_unique_constraint("uq", "baskets", ["count"])\n'
            'op.alter_column("shops", "street", new_column_name="road")\n'
            'op.drop_index("ux_street", "shops")',
            'op.drop_table("baskets")\nop.drop_column("shops", "road")\nop.drop_column("shops", "zip")',
        )
        == []
    )


STRICT_AT_LAST = [
    ("sa.Integer", 'op.alter_column("shops", "n", nullable=False, existing_type=sa.Integer)', "add-not-null"),
    ("sa.Integer", 'op.execute("ALTER TABLE shops MODIFY n INT NOT NULL")', "add-not-null"),
    (
        'sa.Integer, server_default="0", nullable=False',
        'op.alter_column("shops", "n", server_default=None, existing_type=sa.Integer, existing_nullable=False)',
        "add-not-null",
    ),
    (
        "sa.Integer, unique=True",
        'op.alter_column("shops", "n", server_default="0", existing_type=sa.Integer)',
        "add-unique",
    ),
]


@pytest.mark.parametrize(("column", "up", "rule"), STRICT_AT_LAST)
def test_what_they_made_must_still_take_rows_without_it(shop: Shop, column: str, up: str, rule: str) -> None:  # noqa: F811 - the fixture imported
    """Given a new column on an old table, when it becomes strict before the roll-out is over, then it is refused."""
    add = f'op.add_column("shops", sa.Column("n", {column}))\nop.execute("UPDATE shops SET n = id")'
    assert rule in shop.rules(f"{add}\n{up}")
    assert rule in shop.rules(add, up)
    assert shop.judge(add).compatible


def test_strict_with_a_default_is_well(shop: Shop) -> None:  # noqa: F811 - the fixture imported
    """Given a new column with a server default, when the default stays, then NOT NULL hinders nobody."""
    add = 'op.add_column("shops", sa.Column("n", sa.Integer, server_default="0"))'
    alter = 'op.alter_column("shops", "n", nullable=False, existing_type=sa.Integer'
    assert shop.rules(add, f'{alter}, existing_server_default="0")') == []
    assert shop.rules(add, f"{alter})", dialects=["mysql"]) == ["add-not-null"]  # there it is lost


def test_a_comment_on_mysql_gives_the_whole_column_anew(shop: Shop) -> None:  # noqa: F811 - the fixture imported
    """Given only the type, when a comment is set, then MySQL forgets NOT NULL and the default."""
    up = 'op.alter_column("shops", "stars", comment="x", existing_type=sa.Integer'
    assert shop.rules(f"{up})") == ["change-default", "set-nullable"]
    assert shop.rules(f'{up}, existing_nullable=False, existing_server_default="0")') == []


WIDER_ID = 'op.alter_column("shops", "id", type_=sa.BigInteger, existing_type=sa.Integer, existing_nullable=False'


def test_what_counts_by_itself_must_go_on(shop: Shop) -> None:  # noqa: F811 - the fixture imported
    """Given a key that the server numbers, when its type is given without saying so, then it is refused."""
    assert "change-primary-key" in shop.rules(f"{WIDER_ID}, existing_server_default=None)", dialects=["mysql"])
    assert "change-primary-key" in shop.rules(f"{WIDER_ID})", dialects=["sqlite"])  # only an INTEGER does there
    for kept in ("autoincrement=True", "existing_autoincrement=True"):
        assert shop.judge(f"{WIDER_ID}, existing_server_default=None, {kept})", dialects=["mysql"]).compatible
    assert "change-primary-key" in shop.rules('op.alter_column("shops", "id", autoincrement=False)')
    begins = 'op.alter_column("shops", "stars", autoincrement=True, existing_type=sa.Integer)'
    assert "change-primary-key" in shop.rules(begins)


def test_on_sqlite_an_index_is_found_by_its_name_alone(shop: Shop) -> None:  # noqa: F811 - the fixture imported
    """Given a unique index of one table, when it is dropped as if it were another's, then it is told."""
    assert shop.rules('op.drop_index("ux_items_price", "shops")', dialects=["sqlite"]) == ["drop-unique"]


def test_a_name_that_is_taken_again_is_not_forgotten(shop: Shop) -> None:  # noqa: F811 - the fixture imported
    """Given an old table moved aside, when one of its name is made, then dropping what was moved is still refused."""
    found = shop.findings(
        'op.rename_table("items", "aside")\nop.create_table("items", sa.Column("id", sa.Integer))\n'
        'op.drop_table("aside")\nop.drop_table("items")'
    )
    assert [(one.rule.name, one.what) for one in found] == [
        ("rename-table", "table items is renamed to aside"),
        ("drop-table", "table aside is dropped"),
    ]


@pytest.mark.parametrize(
    ("column", "type_", "rules"),
    [
        ('"shops", "name"', "sa.String(80)", ["widen-type"]),
        ('"shops", "name"', "sa.Text", ["widen-type"]),
        ('"shops", "name"', "sa.String(40)", []),
        ('"shops", "stars"', "sa.BigInteger", ["widen-type"]),
        ('"shops", "stars"', "sa.SmallInteger", ["change-type"]),
        ('"items", "price"', "sa.Numeric(10, 2)", ["widen-type"]),
        ('"items", "price"', "sa.Numeric(9, 4)", ["change-type"]),
        ('"items", "price"', "sa.Float", ["change-type"]),
        ('"shops", "town"', "sa.CHAR(20)", ["change-type"]),
        ('"shops", "town"', "sa.LargeBinary", ["change-type"]),
    ],
)
def test_a_type_may_be_widened(shop: Shop, column: str, type_: str, rules: list[str]) -> None:  # noqa: F811 - the fixture imported
    """The type before is known from the revision that made the column, and need not be said again."""
    found = shop.rules(f"op.alter_column({column}, type_={type_})", dialects=["sqlite"])
    assert found == rules


@pytest.mark.parametrize(
    ("before", "after", "wider"),
    [
        ("VARCHAR(40)", "varchar(41)", True),
        ("VARCHAR(40)", "VARCHAR(39)", False),
        ("VARCHAR(40)", "VARCHAR", False),
        ("VARCHAR(16383)", "TEXT", True),
        ("VARCHAR(16384)", "TEXT", False),
        ("VARCHAR(40)", "VARCHAR(80) COLLATE utf8mb4_bin", False),
        ("TEXT", "MEDIUMTEXT", True),
        ("LONGTEXT", "TEXT", False),
        ("INT(11)", "BIGINT", True),
        ("INT UNSIGNED", "BIGINT UNSIGNED", True),
        ("INT UNSIGNED", "BIGINT", False),
        ("BIGINT", "INTEGER", False),
        ("DECIMAL(8, 2)", "NUMERIC(9, 3)", True),
        ("DECIMAL(8, 2)", "DECIMAL(8, 3)", False),
        ("FLOAT", "DOUBLE", False),
        ("CHAR(3)", "VARCHAR(9)", False),
        ("ENUM('a','b')", "ENUM('a','b','c')", True),
        ("ENUM('a','b')", "ENUM('b','a')", False),
        ("ENUM('a')", "ENUM('A')", False),
        ("VARBINARY(8)", "VARBINARY(9)", True),
        ("VARBINARY(8)", "BLOB", True),
        ("VARBINARY", "BLOB", False),
        ("DATETIME", "DATE", False),
        ("JSON", "TEXT", False),
        ("", "TEXT", False),
        ("odd (((", "TEXT", False),
        ("VARCHAR(x)", "VARCHAR(9)", False),
    ],
)
def test_what_is_wider_holds_whatever_was_there(before: str, after: str, wider: bool) -> None:
    """On MySQL, where types are held to."""
    assert widens(before, after, "mysql") == wider


def test_mysql_forgets_what_is_not_said_again(shop: Shop) -> None:  # noqa: F811 - the fixture imported
    """Given a defaulted NOT NULL column, when MODIFY does not repeat that, then the loss is told, on MySQL alone."""
    up = 'op.alter_column("shops", "stars", type_=sa.BigInteger)'
    assert shop.rules(up, dialects=["mysql"]) == ["change-default", "copies-table", "set-nullable", "widen-type"]
    assert shop.rules(up, dialects=["sqlite"]) == ["widen-type"]
    said = (
        'op.alter_column("shops", "stars", type_=sa.BigInteger, existing_nullable=False, existing_server_default="0")'
    )
    assert shop.rules(said, dialects=["mysql"]) == ["copies-table", "widen-type"]
    [finding] = [one for one in shop.findings(up) if one.rule.name == "set-nullable"]
    assert finding.dialects == ("mysql",)


def test_what_a_column_was_is_not_a_matter_of_what_the_revision_says(shop: Shop) -> None:  # noqa: F811 - the fixture imported
    """Given a revision that says it wrongly, when it narrows, then the revision that made the column counts as well."""
    column = 'op.alter_column("shops", '
    lies = f'{column}"name", existing_type=sa.String(10), type_=sa.String(20))'
    assert "change-type" in shop.rules(lies)
    assert "set-not-null" in shop.rules(f'{column}"town", existing_nullable=False, nullable=False)')
    assert "change-default" in shop.rules(f'{column}"stars", existing_server_default=None, server_default="7")')
    unread = f'op.execute("CALL widen()")\n{column}"name", existing_type=sa.String(99), type_=sa.String(80))'
    assert "change-type" in shop.rules(unread)
    unknown = 'op.alter_column("elsewhere", "x", existing_type=sa.Integer, type_=sa.BigInteger)'
    assert shop.rules(unknown, dialects=["sqlite"]) == ["widen-type"]


def test_a_batch_is_judged_by_its_operations(shop: Shop) -> None:  # noqa: F811 - the fixture imported
    """Given operations of a batch, when judged, then each counts on its own line, and SQLite's copy is noted."""
    [dropped, made] = shop.findings(
        'with op.batch_alter_table("shops") as batch:\n'
        '    batch.add_column(sa.Column("street", sa.String(9)))\n'
        '    batch.drop_column("town")',
        dialects=["sqlite"],
    )
    assert (dropped.rule.name, made.rule.name) == ("copies-table", "drop-column")
    assert made.line == dropped.line + 2
    keys = shop.rules(
        'with op.batch_alter_table("shops") as batch:\n'
        '    batch.create_foreign_key("fk", "towns", ["town"], ["name"])\n'
        '    batch.create_primary_key("pk", ["name"])\n'
        '    batch.create_index("ux", ["town"], unique=True)\n'
        '    batch.create_check_constraint("ck", "1")\n'
        '    batch.execute("DROP TABLE items")',
        dialects=["sqlite"],
    )
    assert keys == [
        "add-check",
        "add-foreign-key",
        "add-unique",
        "change-primary-key",
        "copies-table",
        "drop-table",
        "refers-to",
    ]
    plain = 'with op.batch_alter_table("shops", None) as batch:\n    batch.add_column(sa.Column("x", sa.Integer))'
    assert shop.rules(plain) == []


def test_the_line_is_that_of_the_revision_wherever_the_work_is_done(tmp_path: Path) -> None:
    """Loops, other names for ``op`` and helpers of other modules: it is judged by what is done, and where it began."""
    (tmp_path / "sweeping_helper.py").write_text(
        "from alembic import op as operations\n\n\ndef sweep(*names):\n"
        "    for name in names:\n        operations.drop_table(name)\n"
    )
    up = (
        "import sys\nfrom alembic import op as o\nfrom alembic.op import drop_index\nsys.path.insert(0, "
        + repr(str(tmp_path))
        + ")\n"
        "from sweeping_helper import sweep\n"
        'for column in ["name", "town"]:\n    o.drop_column("shops", column)\n'
        'sweep("items")\ndrop_index("ux_items_price", "items")\nsys.path.pop(0)'
    )
    history = written(tmp_path / "app", {"shop": (SHOP, ""), "r1": (up, "")})
    found = judge(history, ["shop"]).findings
    lines = Path(found[0].file).read_text().splitlines()
    assert [(one.what, lines[one.line - 1].strip()) for one in found] == [
        ("column shops.name is dropped", 'o.drop_column("shops", column)'),
        ("column shops.town is dropped", 'o.drop_column("shops", column)'),
        ("table items is dropped", 'sweep("items")'),
        ("index ux_items_price of items is dropped", 'drop_index("ux_items_price", "items")'),
    ]


@pytest.mark.parametrize(
    "up",
    [
        'op.drop_table("items")  # compatible: no release has ever used it',
        'op.drop_table(  # compatible: no release has ever used it\n    "items"\n)',
        'op.drop_table(\n    "items"\n)  # Compatible:   no release has ever used it',
        '# Moved to the archive:\n# compatible: no release has ever used it\nop.drop_table("items")',
        'for name in ["items"]:\n    op.drop_table(name)  # compatible: no release has ever used it',
    ],
)
def test_a_reason_on_the_line_lets_it_through_and_is_told(shop: Shop, up: str) -> None:  # noqa: F811 - the fixture imported
    """Given what would be refused, when its statement bears a reason, then it passes with the reason shown."""
    judgement = shop.judge(up)
    assert judgement.compatible
    assert [one.reason for one in judgement.findings] == ["no release has ever used it"]


def test_a_reason_is_read_in_the_encoding_of_its_file(tmp_path: Path) -> None:
    """Given a revision in Latin-1 that says so, when judged, then its reason is what was written."""
    history = written(tmp_path, {"shop": (SHOP, ""), "r1": ('op.drop_table("items")  # compatible: caf\xe9', "")})
    file = history.versions / "r1.py"
    file.write_bytes(b"# coding: latin-1\n" + file.read_text(encoding="utf-8").encode("latin-1"))
    [finding] = judge(history, ["shop"]).findings
    assert (finding.reason, finding.refused) == ("caf\xe9", False)


@pytest.mark.parametrize(
    "up",
    [
        'op.drop_table("items")  # compatible:',
        'op.drop_table("items")  # compatible:   \t',
        '# compatible: another statement\nop.f("x")\nop.drop_table("items")',
        'op.drop_table("items")\n# compatible: below it',
        'x = "# compatible: a string"; op.drop_table("items")',
        'op.drop_table("items")  # incompatible: it says',
        'for name in ["items"]:  # compatible: the head alone\n    op.drop_table(name)',
    ],
)
def test_a_reason_must_be_given_and_stand_there(shop: Shop, up: str) -> None:  # noqa: F811 - the fixture imported
    """An empty reason, a string, another statement's comment: nothing of it counts."""
    assert not shop.judge(up).compatible


def test_an_announced_reason_that_is_empty_is_a_finding_of_its_own(shop: Shop) -> None:  # noqa: F811 - the fixture imported
    """So that whoever forgot it is told so."""
    assert shop.rules('op.drop_table("items")  # compatible:') == ["drop-table", "no-reason"]


def module(folder: Path, up: str, head: str) -> Migrations:
    """The shop and one revision with ``head`` beside its identifiers."""
    history = written(folder, {"shop": (SHOP, ""), "r1": (up, "")})
    file = history.versions / "r1.py"
    file.write_text(file.read_text().replace('revision = "r1"', f'revision = "r1"\n{head}'))
    return history


def test_a_module_speaks_for_what_cannot_be_judged_and_for_nothing_else(tmp_path: Path) -> None:
    """Given a revision that stops, when its module gives a reason, then it passes; a table that it drops does not."""
    said = 'compatible = "it reads a table that nobody writes"'
    stops = 'rows = op.get_bind().execute(sa.text("SELECT 1")).all()'
    assert not judge(module(tmp_path / "silent", stops, ""), ["shop"]).compatible
    found = judge(module(tmp_path / "said", stops, said), ["shop"])
    assert found.compatible
    assert {one.reason for one in found.findings} == {"it reads a table that nobody writes"}
    assert not judge(module(tmp_path / "drops", f'op.drop_table("items")\n{stops}', said), ["shop"]).compatible
    for empty in ('compatible = ""', "compatible = True", "compatible = None\ncompatible = ' '"):
        assert not judge(module(tmp_path / empty[-8:].strip(), stops, empty), ["shop"]).compatible
    line = f"{stops}  # compatible: of this line alone"
    assert not judge(module(tmp_path / "line", line, ""), ["shop"]).compatible


def test_branches_that_were_merged_and_dependencies_are_judged_once_each(tmp_path: Path) -> None:
    """Given a release on one branch, when another is merged to it, then what that release lacks is judged."""
    history = written(tmp_path / "app", {"shop": (SHOP, "")})
    bodies = {
        "left": ('"shop"', 'op.add_column("shops", sa.Column("a", sa.Integer))'),
        "right": ('"shop"', 'op.drop_column("shops", "town")'),
        "merged": ('("left", "right")', 'op.drop_column("shops", "a")'),
    }
    for name, (before, up) in bodies.items():
        text = HEAD.format(name=name, before="", up=f"    {up}", down="    pass")
        (history.versions / f"{name}.py").write_text(text.replace("down_revision = ''", f"down_revision = {before}"))
    [refused, last] = judge(history, ["left"]).findings
    assert (refused.revision, refused.rule.name) == ("right", "drop-column")
    assert (last.revision, last.what) == ("merged", "column shops.a is dropped")
    assert [one.revision for one in judge(history, ["right"]).findings] == []
    assert judge(history, ["merged"]).judged == ()


def test_from_the_very_beginning_no_table_is_one_that_was_there(tmp_path: Path) -> None:
    """`base` judges all; a database without a revision has no release on it, and nothing is judged."""
    history = written(tmp_path / "app", {"shop": (SHOP, ""), "r1": ('op.drop_table("items")', "")})
    assert judge(history, ["base"]).judged == ("shop", "r1")
    assert judge(history, ["base"]).findings == ()
    assert judge_pending(history, [], ["sqlite"]).judged == ()
    assert not judge_pending(history, ["shop"], ["sqlite"]).compatible


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    """An unknown revision, a database that is newer, a file that is no Python, one without upgrade()."""
    history = written(tmp_path / "app", {"shop": (SHOP, "")})
    with pytest.raises(ConfigurationError, match="nowhere"):
        judge(history, ["nowhere"])
    with pytest.raises(SchemaMismatch, match="newer"):
        judge_pending(history, ["of_tomorrow"], ["sqlite"])
    (history.versions / "bad.py").write_text('revision = "bad"\ndown_revision = "shop"\n')
    with pytest.raises(ConfigurationError, match=r"no upgrade\(\)"):
        judge(history, ["shop"])
    (history.versions / "bad.py").write_text("this is no Python\n")
    with pytest.raises(ConfigurationError, match="cannot be read: SyntaxError"):
        judge(history, ["shop"])


def test_the_refusal_names_each_line_and_that_nothing_was_run(shop: Shop) -> None:  # noqa: F811 - the fixture imported
    """What `upgrade --compatible` says before it does anything."""
    refuse_incompatible([shop.judge('op.add_column("shops", sa.Column("street", sa.Text))')])
    with pytest.raises(IncompatibleChange, match=r"(?s)nothing was run.*r1\.py:11 table items is dropped"):
        refuse_incompatible([shop.judge('op.drop_table("items")')])


@pytest.mark.parametrize("dialect", ["sqlite", "mysql"])
def test_one_dialect_is_judged_alone(tmp_path: Path, dialect: Dialect) -> None:
    """Given a revision that does other things on MySQL, when SQLite's is judged, then only SQLite's."""
    up = 'if op.get_context().dialect.name == "mysql":\n    op.drop_table("items")'
    history = written(tmp_path / "app", {"shop": (SHOP, ""), "r1": (up, "")})
    assert judge(history, ["shop"], [dialect]).compatible == (dialect == "sqlite")
    [finding] = judge(history, ["shop"]).findings
    assert finding.dialects == ("mysql",)
