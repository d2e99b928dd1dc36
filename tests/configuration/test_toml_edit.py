"""Values of a file change where they stand; all else stays, and what the file says is exactly what it was to say."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.configuration.toml_edit import REMOVED, applied, edited, inline, written

TEXT = """\
# ours
top = "x"  # of nobody

[jobs]  # how much
threads = 4   # four
lease = 20.0

# the database
[database]
url = '''mysql://u:p#"w@h/d'''  # not a comment: # inside
"metadata" = "a:b"

[middleware]
use = [
    "probes",  # first
    "errors", # ]
]
[middleware.options]
body_limit = { max_bytes = 1000 } # inline
[middleware.options.header_limits]
max = 5 # deep
[log]
levels.sqlalchemy = "INFO"
levels."a.b" = "DEBUG"
"""


@pytest.mark.parametrize(
    ("edits", "gone", "come"),
    [
        ({"jobs.threads": 8}, ["threads = 4   # four"], ["threads = 8   # four"]),
        ({"jobs.threads": REMOVED}, ["threads = 4   # four"], []),
        ({"jobs.grace": 3.0}, [], ["grace = 3.0"]),
        ({"cache.queries": True}, [], ["[cache]", "queries = true"]),
        ({"database.url": "sqlite:///x"}, None, ['url = "sqlite:///x"  # not a comment: # inside']),
        ({"database.metadata": "c:d"}, None, ['"metadata" = "c:d"']),
        ({"middleware.use": ["errors"]}, None, ['use = ["errors"]']),
        (
            {"middleware.options": {"body_limit": {"max_bytes": 1000}, "header_limits": {"max": 6}}},
            ["max = 5 # deep"],
            ["max = 6 # deep"],
        ),
        (
            {"middleware.options": {"body_limit": {"max_bytes": 7}, "header_limits": {"max": 5}}},
            ["body_limit = { max_bytes = 1000 } # inline"],
            ["body_limit = { max_bytes = 7 } # inline"],
        ),
        (
            {"middleware.options": {"body_limit": {"max_bytes": 1000}}},
            ["[middleware.options.header_limits]", "max = 5 # deep"],
            [],
        ),
        (
            {"log.levels": {"sqlalchemy": "ERROR", "a.b": "DEBUG"}},
            ['levels.sqlalchemy = "INFO"'],
            ['levels.sqlalchemy = "ERROR"'],
        ),
        ({"middleware": REMOVED}, None, []),
    ],
)
def test_only_what_changes_changes(edits: dict[str, Any], gone: list[str] | None, come: list[str]) -> None:
    """Comments, order and blank lines stay; ``gone`` are the lines that go, ``come`` those that come."""
    text, kept = edited(TEXT, edits)
    assert kept
    assert tomllib.loads(text) == applied(tomllib.loads(TEXT), edits)
    before, after = TEXT.splitlines(), text.splitlines()
    assert [line for line in after if line not in before] == come
    if gone is not None:
        assert [line for line in before if line not in after] == gone


@pytest.mark.parametrize(
    "text",
    [
        "",
        "jobs = { threads = 4 }",
        "jobs.threads = 4",
        "jobs.lease = 1.0\n[database]\npool_size = 3",
        "[jobs.x]\n[jobs]",
        "[jobs]",
        "[jobs]\r\nthreads = 4\r\n",
        "[ jobs ] # x\nthreads=4",
        "['jobs']\n\"threads\" = 4",
        "[[jobs.threads]]\na = 1\n[[jobs.threads]]\na = 2\n",
        '[jobs]\nthreads = """\n[jobs]\nthreads = 9\n""""\n',
        "[jobs]\nthreads = [\n'''\n]''',\n# ]\n]\n",
        "x = '[jobs]'\n[jobs.threads.deep]\ny = 1 # z\n",
    ],
)
def test_however_a_file_is_written_it_says_what_it_was_to_say(text: str) -> None:
    """Where the text cannot be edited, it is written anew."""
    for edits in (
        {"jobs.threads": 8},
        {"jobs.threads": REMOVED},
        {"jobs.a": {"b": 1}, "new.c": [1]},
        {"jobs": REMOVED},
    ):
        result, _ = edited(text, edits)
        assert tomllib.loads(result) == applied(tomllib.loads(text), edits)


NAMES = st.text("ab-_. \"'\\#=[]\n\u00e9\x7f", max_size=4)
LEAVES = st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.datetimes() | st.dates()
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=5
)
TABLES = st.dictionaries(st.sampled_from(["jobs", "log"]), st.dictionaries(NAMES, VALUES, max_size=3), max_size=2)
EDITS = st.dictionaries(
    st.sampled_from(["jobs.a", "jobs.b", "log.a", "cache.x"]), VALUES | st.just(REMOVED), max_size=3
) | st.just({"log": REMOVED})


@settings(max_examples=60)
@given(TABLES, EDITS)
def test_every_edit_of_every_table_is_exact(table: dict[str, Any], edits: dict[str, Any]) -> None:
    """Names and values that need quotes, or look like the grammar itself."""
    text = written(table)
    assert tomllib.loads(text) == table
    result, kept = edited(text, edits)
    assert tomllib.loads(result) == applied(table, edits)
    assert kept, "what is written by us can be edited"


@pytest.mark.parametrize("value", [None, [None], {"a": object()}, b"x"])
def test_what_has_no_form_is_refused(value: object) -> None:
    """And nothing is written."""
    with pytest.raises(TypeError, match="no form in TOML"):
        inline(value)
    with pytest.raises(TypeError, match="no form in TOML"):
        edited(TEXT, {"jobs.threads": value})
