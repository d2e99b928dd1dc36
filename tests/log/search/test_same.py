"""The index finds what a look at every record finds: for any records and any query."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postrmagic_core.log.query import QueryError, parse
from postrmagic_core.log.search import LogIndex
from postrmagic_core.log.search.packing import compressed
from postrmagic_core.log.search.reader import Index, Plan
from postrmagic_core.log.search.terms import hashes
from postrmagic_core.log.search.writer import IndexWriter
from postrmagic_core.log.spool import Batch
from tests.log.search.rig import NOON, stamp

UUID = "019ad3f2-7c1e-7b0a-9c55-3f6f1d0e8a11"
TEXT = st.one_of(
    st.sampled_from(
        [
            "timed out",
            "K\u212a",
            "\u0130x",
            "10.0.0.1",
            UUID,
            UUID.upper(),
            f"job {UUID} x",
            "42",
            "4.0",
            "true",
            "ΑΣ ας",
        ]
    ),
    st.text(alphabet='abK\u212a01.-_/ "\\\n', max_size=12),
    st.sampled_from(["0123456789abcdef", "1234567890123456", "12345678e1234567"]),
)
SCALAR = st.one_of(
    TEXT,
    st.sampled_from([0, 1, 42, -5, 2**62, 1.0, 42.0, 4.5, 1e-7, 1e300, True, False, None]),
    st.integers(-3, 3),
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "a.b"]), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = ["a", "b", "a.b", "request_id", "user_id", "span_id", "logger"]
RECORD = st.builds(
    lambda ts, level, event, fields: {"ts": stamp(NOON + ts), "level": level, "event": event} | fields,
    st.integers(-5, 5),
    st.sampled_from(["debug", "info", "error", "odd", None, ["x"]]),
    TEXT,
    st.dictionaries(st.sampled_from(KEYS), VALUE, max_size=4),
)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


NUMBERS = ["-5", "1.0", "0", "1", "null", "false", "1e-07", "1e+300", "e", "07"]
ATOM = st.one_of(
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["a", "b", "a.b", "a.a.b", "user", "request", "span", "logger", "event", "ts"]),
        st.sampled_from([":", "="]),
        st.one_of(TEXT, st.sampled_from(NUMBERS)).map(_quoted),
        st.sampled_from(["", "*"]),
    ),
    st.builds("{}{}".format, TEXT.map(_quoted), st.sampled_from(["", "*"])),
    st.sampled_from(["level>=info", "level:error", "-level:debug", "a:*", "b>0", "since:2026-01-01T12:00:00.000001Z"]),
)
QUERY = st.recursive(
    ATOM,
    lambda inner: st.one_of(
        st.builds("{} {}".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("-({})".format, inner),
    ),
    max_leaves=4,
)


@settings(max_examples=25, deadline=None)
@given(st.lists(RECORD, min_size=1, max_size=8), st.lists(QUERY, min_size=1, max_size=6))
@example(
    [{"ts": stamp(NOON), "event": "x", "a": 1}, {"event": "x", "a": True}, {"event": "x", "a": 1.0}],
    ['a="true"', "a=1"],
)
@example([{"event": "x", "a": {"b": -5}}], ['a:"-5"', 'a="-5"', 'a.b:"-5"'])
def test_what_leads_to_a_block_leads_to_every_record_in_it(records: list[dict[str, Any]], queries: list[str]) -> None:
    """No record that matches is in a block that the query does not lead to, nor passed over in one."""
    lines = [orjson.dumps(record) for record in records]
    records = [orjson.loads(line) for line in lines]
    for text in queries:
        try:
            plan = Plan(parse(text, NOON))
        except QueryError:
            continue
        expected = [number for number, record in enumerate(records) if plan.query.matches(record)]
        for number in expected:
            held = hashes([orjson.loads(lines[number])])
            assert _leads(plan.wanted, set(held)), f"{text} does not lead to {lines[number]!r}"
        body = compressed(lines)
        assert [number for number, _ in plan.found(body, range(len(lines)), backwards=False)] == expected


def _leads(wanted: Any, held: set[int]) -> bool:
    if wanted is None:
        return True
    if hasattr(wanted, "hash"):
        return wanted.hash in held
    parts = [_leads(part, held) for part in wanted.parts]
    return all(parts) if type(wanted).__name__ == "Both" else any(parts)


@settings(max_examples=4, deadline=None)
@given(st.lists(RECORD, min_size=30, max_size=60), st.lists(QUERY, min_size=8, max_size=12))
def test_a_search_of_an_index_is_a_look_at_every_record(records: list[dict[str, Any]], queries: list[str]) -> None:
    """Over blocks of three lines, merged and not, in several segments."""
    lines = [orjson.dumps(record) for record in records]
    records = [orjson.loads(line) for line in lines]
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        writer = IndexWriter(directory, days=36_500, max_bytes=1 << 40, segment_lines=20, block_lines=3)
        writer.open()
        for begin in range(0, len(lines), 7):
            writer.append(Batch(lines[begin : begin + 7], str(begin), 0), NOON)
            writer.tidy(NOON)
        writer.close()
        assert len(Index(directory).numbers()) > 1
        index = LogIndex(directory)
        for text in queries:
            try:
                query = parse(text, NOON)
            except QueryError:
                continue
            expected = [record for record in records if query.matches(record)]
            assert index.search(text, limit=1000).records == expected[::-1]
            assert index.tail(text, "0.0").records == expected
