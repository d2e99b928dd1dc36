"""What the overview, the requests and the experience show: figures as they are, and values that nobody may obey."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from postrmagic_core.errors import BackendUnavailable
from postrmagic_core.observability.dashboard import Ask, Dashboard, Window, words
from postrmagic_core.observability.dashboard.charts import WIDTH, Chart, Line, Mark, Tile
from postrmagic_core.observability.dashboard.interface import pace
from postrmagic_core.observability.dashboard.pages import experience, overview, requests
from postrmagic_core.observability.dashboard.reading_adoption import adoption
from postrmagic_core.observability.dashboard.signals import tone
from postrmagic_core.observability.history import SERIES
from postrmagic_core.stack import Stack
from postrmagic_core.testing import FakeClock, assert_queries
from tests.observability.dashboard.asking import asked
from tests.observability.dashboard.made_up import QuickStack, fail, fill, settings, use, watch

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
CANARY = """"><script>window.pwned=1</script><img src=x onerror=window.pwned=1>'{{7*7}}"""


def shown(answer: str, title: str) -> str:
    """The value in the tile of this title."""
    found = re.search(rf'tile-title">{re.escape(title)}</span>\s*<span class="tile-value">([^<]*)<', answer)
    assert found is not None, f"no tile {title}"
    return html.unescape(found[1])


def ask(stack: Stack | None, **query: str) -> Ask:
    """What a view is given; without a stack what asks it for nothing."""
    watched: Any = stack
    return Ask(watched, query)


def test_the_overview_tells_how_it_goes(stack: Stack, house: Dashboard) -> None:
    """Golden signals and the measures of success, from the newest figures; what fires, what failed."""
    fill(stack)
    use(stack)
    stack.observability.alerts.evaluate()
    latest = stack.observability.history.latest()
    answer = asked(house, "GET", "/").text
    assert shown(answer, "Traffic") == words.shown(latest["requests_per_second"], "per second")
    assert shown(answer, "Latency") == words.duration(latest["response_p95"])
    assert shown(answer, "Memory") == words.size(latest["memory_bytes"])
    assert shown(answer, "Cache hit rate") == words.percent(latest["cache_hit_share"])
    assert shown(answer, "Releases") == "0.5 / week"
    assert shown(answer, "Adoption") == "100 %"
    assert shown(answer, "Satisfaction") == "3.8 of 5"
    assert "1 alert fires" in answer
    assert "A route answers slowly" in answer
    assert answer.count("TimeoutError") == 1
    assert "marked by anna" in answer
    assert answer.count("<figure") == 4


def test_what_is_off_says_what_to_do_next(tmp_path: Path) -> None:
    """Without history, alerts, uptime and experience each page is whole, and no part is called an error."""
    with QuickStack(settings(tmp_path, metrics=False, errors=False), configure_logging=False) as stack:
        for name in ("history", "alerts", "uptime", "experience"):
            setattr(stack.observability, name, None)
        house = Dashboard(stack, allows=lambda _: "anna")
        stack.add(house)
        for path, said in (
            ("/", "POSTRMAGIC_OBSERVABILITY__WATCH=true"),
            ("/requests", "request_metrics"),
            ("/experience", "the layer <code>experience</code>"),
        ):
            answer = asked(house, "GET", path)
            assert answer.status == 200
            assert said.lower() in answer.text.lower()
            assert "This cannot be read now" not in answer.text


def test_nobody_is_told_that_all_is_well_where_nobody_looks(stack: Stack, house: Dashboard) -> None:
    """Before the first figure was written down there is no zero, no line, and no calm about alerts."""
    answer = asked(house, "GET", "/").text
    assert "No history is kept yet" in answer
    assert "Nobody watches for alerts" in answer
    assert "No alert fires" not in answer
    assert "<figure" not in answer
    assert "No history is kept yet" in asked(house, "GET", "/requests").text
    fill(stack, 0.01)
    assert "No alert fires" in asked(house, "GET", "/?range=15m").text


class Away:
    """A source that fails at everything."""

    def __getattr__(self, name: str) -> Any:
        def fail(*_: Any, **__: Any) -> Any:
            raise BackendUnavailable("the secret address of the server")

        return fail


SOURCES = ("history", "alerts", "uptime", "experience", "errors", "releases")


def test_one_source_that_fails_spoils_no_page(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told in its place by its code; the rest is shown."""
    fill(stack, 0.1)
    use(stack)
    for source in SOURCES:
        with monkeypatch.context() as patched:
            patched.setattr(stack.observability, source, Away())
            _still_whole(stack, source)


def _still_whole(stack: Stack, source: str) -> None:
    house = Dashboard(stack, allows=lambda _: "anna")
    answers = [asked(house, "GET", path) for path in ("/", "/requests", "/experience")]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert any("backend.unavailable" in answer.text for answer in answers)
    assert all("secret" not in answer.text for answer in answers)
    assert source == "history" or shown(answers[0].text, "Traffic") != words.NOTHING
    assert "Newest errors" in answers[0].text
    house.close()


class Elements(HTMLParser):
    """The page as a browser reads it: elements and attributes that its templates do not have."""

    def __init__(self) -> None:
        super().__init__()
        self.strange: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what no template of the dashboard has."""
        found = dict(attrs)
        if tag in ("img", "iframe") or (tag == "script" and "src" not in found):
            self.strange.append((tag, str(attrs)))
        self.strange += [(tag, name) for name in found if name.startswith("on") or name == "style"]
        self.strange += [(tag, str(found[name])) for name in ("href", "src") if "script:" in str(found.get(name))]


def hostile(stack: Stack) -> None:
    """Whatever somebody else may have written is an attack."""
    observability: Any = stack.observability
    observability.releases.mark("6.6.6", CANARY, CANARY)
    fail(stack, ValueError(CANARY), logger=CANARY, event=CANARY)
    fail(stack, type(CANARY, (ValueError,), {})(), logger=CANARY)
    with observability.experience as told:
        told.use("upload", CANARY)
        told.flush()
        told.answer("question", 1, CANARY, who=CANARY)
        told.timing(CANARY, load=1.0)
    object.__setattr__(observability.alerts.rules[0], "summary", CANARY)
    observability.alerts.evaluate()


def test_hostile_values_are_text(stack: Stack, house: Dashboard) -> None:
    """Wherever it stands it is escaped: nothing of it becomes an element, an attribute or a template."""
    fill(stack, 0.1)
    hostile(stack)
    seen = 0
    query = "?q=%22%3E%3Cscript%3Ewindow.pwned%3D1%3C/script%3E&sort=%22onload%3D1&range=%3Cb%3E"
    for path in ("/", "/requests", "/experience", f"/requests{query}", f"/errors{query}", f"/{query}"):
        answer = asked(house, "GET", path, headers={"x-user": CANARY})
        assert answer.status == 200
        elements = Elements()
        elements.feed(answer.text)
        assert not elements.strange, path
        seen += answer.text.count("&lt;script&gt;window.pwned=1")
    assert seen > 8


def test_requests_are_sorted_and_searched_by_the_server(stack: Stack, house: Dashboard) -> None:
    """By any column, either way, by text; what the query may say besides changes nothing."""
    fill(stack, 0.5)

    def routes(query: str) -> list[str]:
        text = asked(house, "GET", f"/requests?{query}").text
        return [f"{verb} {route}" for verb, route in re.findall(r'class="verb">(\w+)</span> ([^<]+)</th>', text)]

    assert routes("")[:2] == ["GET /posters", "GET /posters/{id}"]
    assert routes("sort=-failed")[0] == "GET /search"
    assert routes("sort=rate") == routes("sort=-rate")[::-1]
    assert routes("sort=route") == sorted(routes(""), key=lambda route: route.split()[::-1])
    assert routes("q=POST+/") == ["POST /posters", "POST /login"]
    assert routes("sort=__class__") == routes("")
    assert routes("q=nothing+is+called+that") == []
    assert (
        'aria-sort="descending"><a href="/requests?sort=failed"' in asked(house, "GET", "/requests?sort=-failed").text
    )


def test_a_view_reads_a_handful(stack: Stack) -> None:
    """However much is recorded, a page asks the database for a bounded number of things."""
    fill(stack, 1.0)
    use(stack)
    for page, most in ((overview, 16), (requests, 12), (experience, 16)):
        with assert_queries(stack.database, max=most):
            page.view(ask(stack))


def test_the_window_is_what_the_query_says() -> None:
    """One of five lengths; an hour for whatever else it says."""
    for name, seconds in (("15m", 900), ("7d", 604_800), ("", 3600), ("8d", 3600), ("__class__", 3600)):
        assert ask(None, range=name).window.seconds == seconds


def test_what_reads_more_is_made_less_often() -> None:
    """A day moves slowly; whatever the query says, it is made at least once a minute."""
    seconds = [pace(overview.PAGE, {"range": name}) for name in ("", "15m", "1h", "6h", "24h", "7d", "8d")]
    assert seconds == [5.0, 5.0, 5.0, 10.8, 43.2, 60.0, 5.0]


def test_numbers_of_the_query_stay_within_bounds() -> None:
    """What is no number, or a hostile one, is the default."""
    for given, number in (("7", 7), ("999999", 50), ("-1", 5), ("1e9", 5), ("\u0663", 5), ("9" * 400, 5), ("", 5)):
        assert ask(None, n=given).number("n", 5, 1, 50) == number


def test_rows_without_a_value_come_last() -> None:
    """Either way, and an unknown name is the default's order."""
    rows: list[dict[str, Any]] = [{"v": 2}, {"v": None}, {"v": 3}]
    keys: dict[str, Any] = {"v": lambda row: row["v"]}
    for sort, order in (("v", [2, 3, None]), ("-v", [3, 2, None]), ("w", [3, 2, None])):
        assert [row["v"] for row in ask(None, sort=sort).sorted(rows, keys, "-v")] == order


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (words.number(0), "0"),
        (words.number(12345), "12\N{NARROW NO-BREAK SPACE}345"),
        (words.number(0.0421), "0.0421"),
        (words.number(1.25e6), "1.25\N{NARROW NO-BREAK SPACE}M"),
        (words.number(float("nan")), words.NOTHING),
        (words.number(None), words.NOTHING),
        (words.number(True), words.NOTHING),
        (words.number("<b>"), words.NOTHING),
        (words.size(1023), "1023 B"),
        (words.size(1536), "1.5 KiB"),
        (words.size(1023.99 * 1024**2), "1 GiB"),
        (words.duration(0.00034), "340 µs"),
        (words.duration(0.0123), "12.3 ms"),
        (words.duration(119), "119 s"),
        (words.duration(7200), "2 h"),
        (words.duration(0), "0 s"),
        (words.percent(0.99999), "99.999 %"),
        (words.percent(1), "100 %"),
        (words.percent(0.0042), "0.42 %"),
        (words.percent(0.5), "50.0 %"),
        (words.ago(NOW - timedelta(seconds=59), NOW), "59 s ago"),
        (words.ago(NOW - timedelta(hours=49), NOW), "2 d ago"),
        (words.ago(NOW + timedelta(minutes=5), NOW), "in 5 min"),
        (words.ago(NOW, NOW), "now"),
        (words.ago(None, NOW), words.NOTHING),
        (words.shown(42.0, "per second"), "42 /s"),
        (words.shown(3, "count"), "3"),
        (words.instant(NOW), "2026-11-29 12:00:00 UTC"),
    ],
)
def test_figures_have_their_units(made: str, text: str) -> None:
    """Three digits that matter, and a dash for what is no number."""
    assert made == text


def chart(*lines: Line, **more: Any) -> Chart:
    """A chart of the last hour."""
    return Chart("c", "Title", "s", lines, Window("1h", NOW - timedelta(hours=1), NOW), **more)


def at(minute: int) -> datetime:
    """An instant of the last hour."""
    return NOW - timedelta(minutes=60 - minute)


def test_where_nobody_looked_there_is_a_gap() -> None:
    """Both where a value is missing and where a stretch of time is: the line begins anew."""
    points = [(at(minute), 1.0 + minute) for minute in (0, 1, 2, 10, 11)] + [(at(12), None), (at(13), 3.0)]
    drawn = chart(Line("a", points))
    x, y = drawn.columns
    assert len(x) == len(y) == 8  # one more than was told: the gap
    assert [value is None for value in y] == [False, False, False, True, False, False, True, False]
    assert drawn.paths[0].count("M") == 3
    assert f"M{WIDTH * 10 / 60:.1f} " in drawn.paths[0]


def test_a_chart_is_told_in_a_sentence() -> None:
    """For who does not see it: the newest figure, the least, the greatest; or that there is none."""
    told = chart(Line("all", [(at(1), 0.5), (at(2), 2.0), (at(3), 1.0)]), Line("none", [(at(1), None)]))
    assert told.summary == "all: 1 s now, between 500 ms and 2 s"
    assert not told.empty
    nothing = chart(Line("all", [(at(1), float("nan"))]))
    assert nothing.empty
    assert nothing.paths == []
    assert nothing.summary == "nothing recorded in this time"


def test_marks_outside_the_window_are_left_out() -> None:
    """A release of last week is no line at the edge."""
    marks = [Mark(NOW - timedelta(days=7), "1.0"), Mark(at(30), "1.1")]
    data = chart(Line("a", [(at(1), 1.0)]), marks=marks).data
    assert '"1.1"' in data
    assert '"1.0"' not in data


def test_a_tile_draws_its_trend() -> None:
    """From two figures on; one alone is no line."""
    assert Tile("t", "1", trend=[(at(1), 1.0)]).path == ""
    assert Tile("t", "1", trend=[(at(1), 1.0), (at(2), None), (at(3), 2.0)]).path.count("M") == 2


def test_tones_follow_the_thresholds() -> None:
    """Where less is better and where more is; nothing where nobody said."""
    assert [tone(SERIES["response_p95"], value) for value in (0.1, 0.5, 2.0, None)] == ["good", "warn", "bad", ""]
    assert [tone(SERIES["cache_hit_share"], value) for value in (0.9, 0.6, 0.4)] == ["good", "warn", "bad"]
    assert tone(SERIES["memory_bytes"], 1e9) == ""


def test_time_is_the_stacks(tmp_path: Path) -> None:
    """What is new is told from the clock that the Stack was given."""
    clock = FakeClock()
    with QuickStack(settings(tmp_path), clock=clock, configure_logging=False) as stack:
        watch(stack)
        house = Dashboard(stack, allows=lambda _: "anna")
        stack.add(house)
        clock.advance(3 * 86_400)
        assert "3 d ago" in asked(house, "GET", "/").text


class Dear:
    """An experience whose adoption takes two seconds to count."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.counted = 0

    def adoption(self, since: datetime) -> list[Any]:
        """Nothing, after a while."""
        self.counted += 1
        self._clock.advance(2.0)
        return []


def test_what_is_dear_is_read_seldom() -> None:
    """All users of a month are counted again only after a hundred times as long as that took, each span by itself."""
    clock = FakeClock()
    dear = Dear(clock)
    watched: Any = SimpleNamespace(observability=SimpleNamespace(experience=dear))
    asking = Ask(watched, clock=clock)
    for days, wait, counted in ((30, 0, 1), (30, 10, 1), (7, 0, 2), (30, 150, 2), (30, 60, 3)):
        clock.advance(wait)
        assert adoption(asking, days) == []
        assert dear.counted == counted
    watched.observability.experience = None
    assert adoption(asking, 30) is None
