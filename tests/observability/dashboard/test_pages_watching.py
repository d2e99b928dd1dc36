"""Logs, traces, uptime and alerts in the dashboard: what happened is found, understood and acted on."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from postrmagic_core._clock import from_us
from postrmagic_core.errors import BackendRejected
from postrmagic_core.log.query_time import instant_text
from postrmagic_core.log.search import Collector, LogIndex
from postrmagic_core.log.spool import Spool
from postrmagic_core.observability.alerts import Alerts, RateOfChange, Reading, Sources, Threshold, metric
from postrmagic_core.observability.alerts.channels.memory import MemoryChannel
from postrmagic_core.observability.alerts.rules import errors, logs, time_left, uptime
from postrmagic_core.observability.dashboard import reading_traces
from postrmagic_core.observability.dashboard.reading_alerts import condition
from postrmagic_core.observability.dashboard.reading_logs import columns, like, plain, quoted
from postrmagic_core.observability.tables import uptime_hours
from postrmagic_core.observability.uptime import Uptime
from postrmagic_core.observability.uptime.targets import probe
from postrmagic_core.stack import Stack
from tests.observability.dashboard.visits import HOSTILE, Visitor, shown, visited
from tests.observability.uptime.targets import Authority, closing, free_port, http, target

TRACE, REQUEST, JOB = "a" * 32, "0192f0c1-1111-7111-8111-111111111111", "0192f0c1-2222-7222-8222-222222222222"
SPANS = "postrmagic_core.observability.traces"
UNSEEN = "safe\u202egpj.exe\x1b[31m\x00"
_LINK = re.compile(r'href="([^"]*)"')


@dataclass
class Watch:
    """A Stack that is watched; ``log`` puts records where they are found."""

    stack: Stack
    visitor: Visitor
    directory: Path
    channel: MemoryChannel = field(default_factory=MemoryChannel)
    readings: list[Reading] = field(default_factory=list)

    def log(self, *records: dict[str, Any]) -> None:
        """Log ``records``, each a second after the one before it, the last one now."""
        now = self.stack.clock.now_us()
        begin = now - (len(records) - 1) * 1_000_000
        told = [
            {"ts": instant_text(begin + at * 1_000_000), "level": "info", "logger": "posters", **record}
            for at, record in enumerate(records)
        ]
        spool = Spool(self.directory / "spool")
        lines = [orjson.dumps(record) for record in told]
        while lines:
            del lines[: spool.write(lines)]
        spool.close()
        collector = Collector(self.directory / "spool", self.directory / "index", metrics=self.stack.metrics)
        assert collector.catch_up()

    def get(self, path: str, status: int = 200, /, **query: Any) -> str:
        """A page."""
        return self.visitor.get(path, status, **query)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[int, int]]:
    """The port of a server that is well, and one on which nobody listens."""
    with target(http()) as server:
        yield server.port, free_port()


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory, served: tuple[int, int]) -> Iterator[Watch]:
    """A Stack with an index of its log, two probes and some rules."""
    directory = tmp_path_factory.mktemp("watching")
    with visited(directory / "data") as (stack, visitor):
        made = Watch(stack, visitor, directory)
        seen: Any = stack.observability
        seen.logs = LogIndex(directory / "index")
        probes = [
            probe("site", f"http://127.0.0.1:{served[0]}/healthz"),
            probe("mail", f"tcp://127.0.0.1:{served[1]}#failures=1"),
        ]
        seen.uptime = Uptime(stack.database, probes=probes, clock=stack.clock)
        rules = (
            Threshold("hostile", lambda: made.readings, above=1.0, severity="critical", summary="{name}: {value}"),
            Threshold("errors are logged", logs("level>=error", 600), above=1e9, runbook="https://posters.test/guide"),
            Threshold("a new error", errors("new"), above=0, summary="{type} is new"),
            Threshold("a probe is down", uptime(), below=1),
            Threshold("jobs fail", metric("jobs_processed_total"), above=1e9, for_=60, runbook="docs/guide.md"),
        )
        sources = Sources(
            totals=lambda: stack.observability.metrics.everybody(),
            logs=lambda *_: 0,
            errors=lambda state: [],
            uptime=seen.uptime.status,
        )
        seen.alerts = Alerts(
            stack.database, rules=rules, sources=sources, channels={"ops": made.channel}, clock=stack.clock
        )
        yield made


def links(page: str) -> list[tuple[str, dict[str, str]]]:
    """Where a page leads: path and query."""
    parts = [urlsplit(html.unescape(found)) for found in _LINK.findall(page)]
    return [(one.path, {name: values[0] for name, values in parse_qs(one.query).items()}) for one in parts]


def leading(page: str, path: str, *names: str) -> list[dict[str, str]]:
    """The queries of its links to ``path`` with all of ``names``."""
    return [query for to, query in links(page) if to == path and set(names) <= set(query)]


# Logs


def test_records_are_found_by_a_query_and_lead_on(watch: Watch) -> None:
    """A row opens to all its fields, to the story of its ids, to its like; and its fields narrow what is asked."""
    watch.log(
        {"event": "poster drawn", "logger": "posters.leads", "user_id": 42, "request_id": "5" * 32, "took": 1.5},
        {"event": "poster refused", "logger": "posters.leads", "level": "warning", "nested": {"deep": [1]}},
    )
    page = watch.get("/logs", q="logger=posters.leads level>=warning")
    assert "poster refused" in shown(page)
    assert "poster drawn" not in shown(page)
    assert '{"deep": [1]}' in shown(page)
    page = watch.get("/logs", q="logger=posters.leads user:42")
    assert {"id": "5" * 32} in leading(page, "/traces", "id")
    narrower = [query["q"] for query in leading(page, "/logs", "q")]
    assert "poster drawn" in shown(watch.get("/logs", q=next(one for one in narrower if one.endswith('took="1.5"'))))
    without = next(one for one in narrower if one.endswith('-took="1.5"'))
    assert "Nothing found" in shown(watch.get("/logs", q=without))
    assert 'user_id="42"' in narrower


def test_a_query_that_is_none_is_shown_with_its_place(watch: Watch) -> None:
    """The page says what was expected, and points at it; no query that anybody sends breaks it."""
    page = watch.get("/logs", q='level:eror "x')
    assert "expected a level" in shown(page) or "not closed" in shown(page)
    assert "^" in page
    for query in [HOSTILE, "(" * 60, "a" * 5000, "\x00\u202e", "since:never", "-", "key:", 'x OR "', "%", "[a-z]*"]:
        watch.get("/logs", q=query)
        watch.get("/logs", q=query, tab="stats", range=HOSTILE)
        watch.get("/traces", name=query, only=HOSTILE, before=query)
        watch.get("/traces", 404, id=query if query.strip("\x00") else "x")
    watch.get("/logs", before=HOSTILE, since="x", until="9" * 30, range="1h")
    watch.get("/logs", since=5, until=3)


def test_records_come_a_page_at_a_time(watch: Watch) -> None:
    """Older ones follow by a cursor, each once; one that somebody made up leads to the newest."""
    watch.log(*({"event": "counted", "logger": "posters.paged", "number": number} for number in range(120)))
    found: list[str] = []
    page = cursor = ""
    for _ in range(3):
        page = watch.get("/logs", q="logger=posters.paged", before=cursor)
        found += re.findall(r"number=</span>(\d+)", page)
        cursor = next((query["before"] for query in leading(page, "/logs", "before")), "")
    assert found == [str(number) for number in reversed(range(120))]
    assert "That is all there is" in shown(page)
    assert "number=</span>119" in watch.get("/logs", q="logger=posters.paged", before="not a cursor")


def test_the_counts_lead_to_the_records_of_their_time(watch: Watch) -> None:
    """Each column of the histogram is a link to what it counts, and all of them count everything."""
    levels = ["info", "error", "warning", "info"]
    watch.log(*({"event": "drawn", "logger": "posters.counted", "level": level} for level in levels))
    page = watch.get("/logs", q="logger=posters.counted", range="15m")
    assert "4 records from" in shown(page)
    figures = page.partition('aria-label="Counts over time"')[2].partition("</table>")[0]
    narrowed = leading(figures, "/logs", "since", "until")
    assert narrowed
    total = 0
    for query in narrowed:
        inside = watch.get("/logs", **query)
        total += inside.count('<li><details id="r')
        assert "all of the time" in shown(inside)
    assert total == 4


def test_messages_are_counted_and_new_ones_told(watch: Watch) -> None:
    """Numbers in them are one; the link of a message finds its records."""
    watch.log(
        *({"event": f"poster {number} is late", "logger": "posters.stats", "level": "error"} for number in (7, 8))
    )
    page = watch.get("/logs", tab="stats", range="1h")
    assert "poster # is late" in shown(page)
    query = next(one["q"] for one in leading(page, "/logs", "q") if "posters.stats" in one["q"])
    assert "poster 7 is late" in shown(watch.get("/logs", q=query))


def test_what_is_logged_is_only_text(watch: Watch) -> None:
    """Markup in names and values does nothing, and no sign turns the text around or is missed."""
    watch.log(
        {
            "event": f"{HOSTILE} {UNSEEN}",
            "logger": f"posters.hostile{HOSTILE}",
            "level": HOSTILE,
            HOSTILE: HOSTILE,
            "user": UNSEEN,
            "exception": {"type": HOSTILE, "message": UNSEEN, "frames": [{"file": HOSTILE, "line": None}, 7]},
            "trace_id": HOSTILE,
            "hostile_marker": "yes",
            "many": {str(number): "x" * 100 for number in range(100)},
        }
    )
    page = watch.get("/logs", q="hostile_marker:yes")
    assert "safe\\u202egpj.exe\\x1b[31m\\x00" in page
    assert not set("\u202e\x1b\x00") & set(page)
    watch.get("/traces", id=HOSTILE)
    watch.get("/logs", tab="stats")
    for query in leading(page, "/logs", "q"):
        assert "This cannot be asked" not in shown(watch.get("/logs", **query))


def test_a_log_that_is_not_kept_says_how_it_would_be(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off, broken and empty are told apart; a source that fails spoils no more than its place."""
    seen: Any = watch.stack.observability
    monkeypatch.setattr(seen, "logs", None)
    assert "POSTRMAGIC_LOG__SEARCH=true" in watch.get("/logs")
    assert "POSTRMAGIC_LOG__SEARCH=true" in watch.get("/traces", id=TRACE)

    class Broken(LogIndex):
        def search(self, *_: Any, **__: Any) -> Any:
            raise OSError(HOSTILE)

        story = histogram = stats = search

    monkeypatch.setattr(seen, "logs", Broken(watch.directory / "index"))
    for path, query in [("/logs", {}), ("/logs", {"tab": "stats"}), ("/traces", {}), ("/traces", {"id": TRACE})]:
        assert "This cannot be read now" in shown(watch.get(path, **query))
    monkeypatch.setattr(seen, "logs", LogIndex(watch.directory / "nowhere"))
    assert "Nothing found" in shown(watch.get("/logs"))
    assert "No traces yet" in shown(watch.get("/traces"))


def test_parts_of_the_text_are_told_as_they_are() -> None:
    """Joined signs and letters of any language stay; a message is looked for by its longest part without numbers."""
    assert plain("Überwärmung \u200d 你好 a\u00a0b\nc") == "Überwärmung \u200d 你好 a\u00a0b\\nc"
    assert plain("a\nb\ud800", lines=True) == "a\nb\\ud800"
    assert plain("x" * 10, 4) == "xxxx…"
    assert like("job # failed after # s", "jobs", "error") == 'level:error logger="jobs" event:"failed after"'
    assert like("#", "", "odd") == ""
    assert quoted('a"\\') == '"a\\"\\\\"'


def test_columns_stand_in_proportion() -> None:
    """The fullest is as high as there is room, what is gravest at its foot, and nothing is drawn of nothing."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    few, most, none = columns(
        [(at, {"info": 1}), (at + timedelta(hours=1), {"info": 2, "error": 2}), (at + timedelta(hours=2), {})],
        at + timedelta(hours=3),
    )
    assert [bar[0] for bar in most.bars] == ["error", "info"]
    assert most.bars[0][1] > most.bars[1][1] == pytest.approx(2.0)
    assert few.bars == [("info", 75.5, 24.5)]
    assert none.bars == []
    assert (few.until, none.until) == (at + timedelta(hours=1), at + timedelta(hours=3))


# Traces


def span(number: int, parent: int | None, name: str, **more: Any) -> dict[str, Any]:
    """A span as the log has it."""
    return {
        "logger": SPANS,
        "event": "span",
        "trace_id": TRACE,
        "span_id": f"{number:016x}",
        "parent_id": None if parent is None else f"{parent:016x}",
        "name": name,
        "kind": "internal",
        "status": "unset",
        "duration_ms": 10.0,
        **more,
    }


@pytest.fixture(scope="module")
def told(watch: Watch) -> Sequence[dict[str, Any]]:
    """A request with a query and a line in its spans, and its job in another trace without spans."""
    ids = {"trace_id": TRACE, "request_id": REQUEST}
    records = [
        {"event": "looking", **ids, "span_id": f"{2:016x}", "level": "warning"},
        span(2, 1, "SELECT posters", request_id=REQUEST, status="error"),
        span(1, None, f"GET /posters {HOSTILE}", request_id=REQUEST, kind="server", duration_ms=1900.0),
        {"event": "job began", "job_id": JOB, "request_id": REQUEST, "task": "posters.scale", "trace_id": "b" * 32},
    ]
    watch.log(*records)
    return records


STORY = [("request", "0"), ("span", "1"), ("span", "2"), ("line", "3"), ("job", "1"), ("line", "2")]
"""What stands in what."""


def test_a_trace_is_found_and_drawn_with_what_was_logged_in_it(watch: Watch, told: Sequence[dict[str, Any]]) -> None:
    """By name, as slow; its spans stand in each other, the line in its span, the job in its request."""
    listed = watch.get("/traces", only="slow", name="GET posters"[:3])
    assert {"id": TRACE} in leading(listed, "/traces", "id")
    assert "1.9 s" in shown(listed)
    assert TRACE not in watch.get("/traces", name="POST")
    page = ""
    for name in (TRACE, REQUEST, JOB):
        page = watch.get("/traces", id=name)
        rows = re.findall(r'<li class="(\w+)[^"]*">.*?<span class="step d(\d+)">', page, re.DOTALL)
        assert rows == STORY
        assert "posters.scale" in shown(page)
        assert {"id": JOB} in leading(page, "/jobs", "id")
    # Of a request of 1.9 seconds, its query's ten milliseconds.
    widths = [float(one) for one in re.findall(r'<rect x="[\d.]+%" width="([\d.]+)%"', page)]
    assert max(widths) > 30
    assert all(0 < one <= 100 for one in widths)


def test_a_story_without_spans_is_a_tree_and_one_that_is_not_there_is_told(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Request and job stand in each other by their ids; an id that nobody knows is a page with 404."""
    request, job = "0192f0c1-3333-7333-8333-333333333333", "0192f0c1-4444-7444-8444-444444444444"
    watch.log(
        {"event": "upload taken", "request_id": request},
        {"event": "job failed", "job_id": job, "request_id": request, "task": "posters.late", "level": "error"},
    )
    page = watch.get("/traces", id=job)
    assert "No spans of it are kept" in shown(page)
    assert "upload taken" in shown(page)
    assert "posters.late" in shown(page)
    assert "Nothing is known of it" in shown(watch.get("/traces", 404, id="f" * 32))
    monkeypatch.setattr(reading_traces, "MOST", 2)
    page = watch.get("/traces", id=job)
    assert "This is not all of it" in shown(page)
    assert page.count('<li class="') == 2


# Uptime


def test_probes_are_looked_at_by_their_button_and_outages_told(watch: Watch, served: tuple[int, int]) -> None:
    """One is up, one is down with its reason and its outage; a probe that is none is refused."""
    assert "not known" in shown(watch.get("/uptime"))
    assert watch.visitor.press("/uptime", "check", name="site")[1].startswith("site is well (")
    done, told = watch.visitor.press("/uptime", "check", name="mail")
    assert done
    assert "mail is not well: " in told
    page = shown(watch.get("/uptime"))
    assert "1 of 2 up, 1 down" in page
    assert "goes on" in page
    assert 'aria-label="48 hours: ' in watch.get("/uptime")
    one = shown(watch.get("/uptime", name="mail"))
    assert "down after 1 in a row" in one
    assert "failed" in one
    assert watch.visitor.press("/uptime", "check", name=HOSTILE)[0] is False
    assert "There is no such probe" in shown(watch.get("/uptime", 404, name=HOSTILE))
    watch.get("/uptime", **{"from": "99999"})


def test_an_hour_that_was_down_is_seen_and_said(watch: Watch) -> None:
    """Blocks are drawn by how much of an hour was down, and told to who does not see them."""
    hour = watch.stack.clock.now_us() // 3_600_000_000 * 3_600_000_000
    known = 3_600_000_000
    rows = [(3, known, 0), (4, known, known // 4), (5, known, known)]
    with watch.stack.database.write() as tx:
        for ago, passed, down in rows:
            told = {"known_us": passed, "down_us": down, "checks": 60, "failed": 0, "took_us": 0, "most_us": 0}
            tx.execute(uptime_hours.insert().values(probe="site", hour_us=hour - ago * known, **told))
    page = watch.get("/uptime", name="site")
    drawn = re.findall(r'<rect class="(\w+)"', page.partition("30 days</h3>")[0])
    assert len(drawn) == 48
    assert drawn[-6:-3] == ["down", "some", "up"]
    assert "1 partly down, 1 mostly down" in shown(page)
    assert f"{from_us(hour - 4 * known):%Y-%m-%d %H:%M:%S} UTC: 75.0 % up" in page


def test_a_certificate_that_expires_soon_is_told(watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the days it has left, and as what is amiss."""
    authority = Authority(tmp_path)
    with target(closing, authority.server(5.5)) as server:
        probes = [probe("shop", f"tls://localhost:{server.port}#failures=1")]
        uptime = Uptime(watch.stack.database, probes=probes, trust=authority.trust(), clock=watch.stack.clock)
        seen: Any = watch.stack.observability
        monkeypatch.setattr(seen, "uptime", uptime)
        assert "expires in 5 days" in watch.visitor.press("/uptime", "check", name="shop")[1]
    page = watch.get("/uptime")
    assert re.search(r'<td class="num bad"><span title="[^"]*">5\.5 d</span>', page)
    assert "5.5 d left, until" in shown(watch.get("/uptime", name="shop"))


def test_uptime_says_what_to_do_and_what_it_cannot_read(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without probes how there are some; where the database fails, that."""
    seen: Any = watch.stack.observability
    monkeypatch.setattr(seen.uptime, "status", _failing)
    for query in ({}, {"name": "site"}):
        assert "This cannot be read now" in shown(watch.get("/uptime", **query))
    monkeypatch.setattr(seen, "uptime", Uptime(watch.stack.database))
    assert "POSTRMAGIC_OBSERVABILITY__PROBES" in watch.get("/uptime")


def _failing(*_: object, **__: object) -> Any:
    raise OSError(HOSTILE)


# Alerts


def test_an_alert_is_taken_silenced_and_told_again(watch: Watch) -> None:
    """It stands first, leads on, is looked after, silenced and unsilenced by buttons, and is history at last."""
    alerts = watch.stack.observability.alerts
    labels = {"name": HOSTILE, "error": "0" * 16, "queue": UNSEEN}
    watch.readings[:] = [Reading(labels, 2.5)]
    alerts.evaluate()
    [alert] = [one for one in alerts.current("firing") if one.rule == "hostile"]
    page = watch.get("/alerts")
    assert page.index(f"id={alert.id}") == page.index("/alerts?id=") + len("/alerts?")
    assert "2.5" in shown(page)
    assert {"id": "0" * 16} in leading(page, "/errors", "id")
    assert leading(page, "/logs", "since", "until")
    assert watch.visitor.press("/alerts", "acknowledge", id=alert.id)[0]
    assert watch.visitor.press("/alerts", "silence", id=alert.id, **{"for": "8h"})[0]
    page = shown(watch.get("/alerts"))
    assert "admin looks after it" in page
    assert "silenced" in page
    [silence] = alerts.silences()
    assert timedelta(hours=7) < silence.until - datetime.now(UTC) <= timedelta(hours=8)
    assert (silence.labels, silence.by) == (labels, "admin")
    assert watch.visitor.press("/alerts", "unsilence", id=silence.id)[0]
    assert alerts.silences() == []
    assert watch.visitor.press("/alerts", "unsilence", id=silence.id)[0] is False
    watch.readings[:] = [Reading(labels, 0.0)]
    alerts.evaluate()
    assert alert.id not in watch.get("/alerts")
    assert watch.visitor.press("/alerts", "acknowledge", id=alert.id)[0] is False
    history = shown(watch.get("/alerts", tab="history"))
    assert all(word in history for word in ("firing", "acknowledged", "resolved"))
    assert "resolved" in shown(watch.get("/alerts", id=alert.id))


def test_a_silence_ends_when_it_is_told_to_and_not_otherwise(watch: Watch) -> None:
    """An instant in the future, within a year; of a rule that is there."""
    soon = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    done, told = watch.visitor.press("/alerts", "silence", rule="jobs fail", until=soon, comment=HOSTILE)
    assert done
    assert soon.replace("T", " ") in told
    assert "jobs fail" in shown(watch.get("/alerts"))
    for wrong in ("", "tomorrow", "2020-01-01T00:00", "9999-01-01T00:00"):
        assert watch.visitor.press("/alerts", "silence", rule="jobs fail", until=wrong)[0] is False
    for form in ({"rule": ""}, {"rule": HOSTILE}, {"id": "0" * 32}):
        assert watch.visitor.press("/alerts", "silence", **form, **{"for": "1h"})[0] is False
    [silence] = watch.stack.observability.alerts.silences()
    assert watch.visitor.press("/alerts", "unsilence", id=silence.id)[0]


def test_rules_are_told_with_what_they_read_and_channels_tried(watch: Watch) -> None:
    """The probe that is down is read; a channel that refuses says why; what nobody was told of is listed."""
    watch.visitor.press("/uptime", "check", name="mail")
    page = watch.get("/alerts", tab="rules")
    assert 'logs("level>=error", window=600)' in shown(page)
    assert {"q": "level>=error"} in leading(page, "/logs", "q")
    assert re.search(r"below 1 at once .*0 mail", shown(page))
    assert watch.visitor.press("/alerts", "test", channel="ops")[0]
    assert watch.channel.told[-1].kind == "test"
    watch.channel.error = BackendRejected("no such box")
    try:
        done, told = watch.visitor.press("/alerts", "test", channel="ops")
        assert not done
        assert "no such box" in told
        watch.readings[:] = [Reading({"name": "given up"}, 9.0)]
        alerts = watch.stack.observability.alerts
        alerts.evaluate()
        alerts.send()
        assert "no such box" in shown(watch.get("/alerts", tab="rules"))
    finally:
        watch.channel.error = None
        watch.readings[:] = []
    assert watch.visitor.press("/alerts", "test", channel=HOSTILE)[0] is False


def test_who_may_only_look_presses_nothing_here(watch: Watch) -> None:
    """Every button of these pages is refused to a guest."""
    guest = watch.visitor.guest()
    for path, do, form in [
        ("/uptime", "check", {"name": "site"}),
        ("/alerts", "acknowledge", {"id": "x"}),
        ("/alerts", "silence", {"rule": "jobs fail", "for": "1h"}),
        ("/alerts", "unsilence", {"id": "x"}),
        ("/alerts", "test", {"channel": "ops"}),
    ]:
        assert guest.refused(path, do, **form) == 403
    assert watch.stack.observability.alerts.silences() == []


def test_alerts_say_what_is_off_or_cannot_be_read(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alert that nobody knows is 404; a database that fails is told in its place."""
    seen: Any = watch.stack.observability
    assert "not known" in shown(watch.get("/alerts", 404, id=HOSTILE))
    watch.get("/alerts", tab="history", after=HOSTILE)
    for name in ("current", "history", "silences", "undelivered", "get"):
        monkeypatch.setattr(seen.alerts, name, _failing)
    for query in ({}, {"tab": "history"}, {"tab": "rules"}, {"id": "0" * 32}):
        assert "This cannot be read now" in shown(watch.get("/alerts", **query))
    assert "not known" in shown(watch.get("/alerts", 404, id=HOSTILE))  # what is no id is looked for nowhere
    monkeypatch.setattr(seen, "alerts", None)
    assert "POSTRMAGIC_OBSERVABILITY__WATCH=true" in watch.get("/alerts")


def test_a_rule_is_told_in_words() -> None:
    """Times as such, numbers without powers of ten, and which way it goes."""
    told = [
        condition(Threshold("a", of=time_left("expires"), below=14 * 86_400)),
        condition(Threshold("b", of=metric("bytes"), above=1.5e6)),
        condition(RateOfChange("c", of=metric("lost"), by=0, share=False)),
        condition(RateOfChange("d", of=metric("requests"), by=-0.5, within=300)),
    ]
    assert told == [
        "below 14 d",
        "above 1.5\N{NARROW NO-BREAK SPACE}M",
        "grows by more than 0 within 10 min",
        "falls by more than 50% within 5 min",
    ]
