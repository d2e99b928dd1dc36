"""Rules in code and in settings, what is shipped, and what expressions are asked of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.observability.alerts import Absence, Alerts, RateOfChange, Reading, Sources, Threshold, metric
from postrmagic_core.observability.alerts.evaluation import UNKNOWN
from postrmagic_core.observability.alerts.from_settings import expression, rules_from
from postrmagic_core.observability.alerts.rules import defaults, errors, logs, time_left, uptime
from postrmagic_core.observability.metrics.catalogue import BY_NAME
from postrmagic_core.observability.metrics.policy import Totals
from postrmagic_core.testing import FakeClock


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"above": 1, "below": 0},
        {"above": 1, "clear_below": 2},
        {"above": 1, "clear_above": 1},
        {"below": 1, "clear_above": 0.5},
        {"above": 1, "for_": -1},
        {"above": float("nan")},
        {"below": float("inf")},
        {"above": 1, "clear_below": float("nan")},
        {"above": 1, "clear_for": float("inf")},
        {"above": 1, "severity": "loud"},
    ],
)
def test_numbers_that_make_no_sense_are_refused(how: dict[str, Any]) -> None:
    """With the rule's name."""
    with pytest.raises(ConfigurationError, match="'r'"):
        Threshold("r", metric("x"), **how)


def test_names_are_one_line() -> None:
    """They stand in subjects of mails."""
    for name in ("", "a\nb", "x" * 191):
        with pytest.raises(ConfigurationError):
            Absence(name, metric("x"))
    for within in (0, 1e6):
        with pytest.raises(ConfigurationError):
            RateOfChange("r", metric("x"), within=within)


def test_settings_make_rules_of_each_kind() -> None:
    """By what they say; numbers may be text, as the environment gives them."""
    assert rules_from(
        {
            "slow": {
                "of": 'metric("response_p95")',
                "above": "2",
                "for": 60,
                "severity": "critical",
                "channels": ["a"],
            },
            "grows": {"of": "metric('memory_bytes')", "by": 0.5, "within": 3600, "share": True},
            "silent": {"of": "logs('event:\"backup done\"', window=86400)", "for": 60, "labels": {"team": "ops"}},
            "site": {"of": "uptime()", "below": 1},
        }
    ) == (
        Threshold("slow", metric("response_p95"), above=2, for_=60, severity="critical", channels=("a",)),
        RateOfChange("grows", metric("memory_bytes"), by=0.5, within=3600),
        Absence("silent", logs('event:"backup done"', 86400), for_=60, labels={"team": "ops"}),
        Threshold("site", uptime(), below=1),
    )


def test_settings_change_what_is_shipped() -> None:
    """Or take it away, or put a rule of their own in its place."""
    given = defaults()
    told = {"answers are slow": {"above": 3.0, "clear_below": 2.0}, "jobs fail": False}
    changed = {rule.name: rule for rule in rules_from(told, given)}
    assert "jobs fail" not in changed
    [slow] = [rule for rule in given if rule.name == "answers are slow"]
    assert changed["answers are slow"] == replace(slow, above=3.0, clear_below=2.0)  # type: ignore[call-arg]  # a Threshold
    assert len(changed) == len(given) - 1


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (True, "a table"),
        ({"above": 1}, "needs `of`"),
        ({"of": "metric(x)", "above": 1}, "expected an expression"),
        ({"of": 'metrics("x")', "above": 1}, "logs, errors, metric, time_left, uptime"),
        ({"of": 'metric("x", window=3)', "above": 1}, "window belongs"),
        ({"of": 'errors("old")', "above": 0}, "regressed"),
        ({"of": 'metric("x")', "above": "high"}, "'above' is a number"),
        ({"of": 'metric("x")', "above": True}, "'above' is a number"),
        ({"of": 'metric("x")', "abov": 1}, "'abov' is none of"),
        ({"of": 'metric("x")', "above": 1, "within": 3}, "Threshold"),
        ({"of": 'metric("x")', "above": 1, "channels": "ops"}, "right kind"),
        (False, "no rule of that name"),
    ],
)
def test_settings_that_are_wrong_say_where(table: Any, said: str) -> None:
    """The rule, and what is expected."""
    with pytest.raises(ConfigurationError, match="'mine'") as caught:
        rules_from({"mine": table})
    assert said in str(caught.value)


def test_expressions_are_shown_as_they_are_written() -> None:
    """And read again."""
    quoted = logs('event:"backup done"', 60)
    for one in (metric("a"), time_left("b"), logs("level>=error", 60), quoted, errors("new"), uptime("site"), uptime()):
        assert expression(str(one)) == one


def test_what_is_shipped_looks_at_what_there_is() -> None:
    """Each default names a series of the history, a metric of the catalogue, or a source by itself."""
    known = {"error_share", "response_p95", "job_failures_per_second", "pool_in_use_share", "jobs_dead_letters"}
    known |= {"uptime_certificate_expires_timestamp_seconds", *BY_NAME}
    found = defaults()
    assert len({rule.name for rule in found}) == len(found) == 16
    for rule in found:
        assert rule.runbook
        assert rule.summary
        if getattr(rule.of, "source", "") in ("metric", "time_left"):
            assert getattr(rule.of, "text", "") in known


@dataclass(frozen=True)
class Group:
    """A group of errors."""

    fingerprint: str
    type: str
    message: str
    place: str
    count: int


@dataclass(frozen=True)
class Probe:
    """A probe."""

    name: str
    up: bool | None


def test_sources_give_readings() -> None:
    """Each kind of expression, with the labels of what it found."""
    clock = FakeClock()
    totals = Totals()
    totals.gauges[("jobs_queue_depth", (("queue", "mail"), ("state", "dead")))] = 3.0
    totals.gauges[("jobs_queue_depth", (("queue", "mail"), ("state", "ready")))] = 9.0
    totals.gauges[("expires", (("probe", "site"),))] = clock.now_us() / 1e6 + 60
    totals.counters[("dropped", ())] = 4
    asked: list[tuple[str, float]] = []

    def count(query: str, window: float) -> int:
        asked.append((query, window))
        return 7

    sources = Sources(
        series=lambda: {"response_p95": 0.5},
        totals=lambda: totals,
        logs=count,
        errors=lambda state: [Group("f", "", f"{state} one", "a.py:1", 2)],
        uptime=lambda: [Probe("site", False), Probe("mail", True), Probe("unknown", None)],
        clock=clock,
    )
    assert sources.read(metric("response_p95")) == [Reading({}, 0.5)]
    assert sources.read(metric("jobs_dead_letters")) == [Reading({"queue": "mail"}, 3.0)]
    assert sources.read(metric("dropped")) == [Reading({}, 4.0)]
    assert sources.read(metric("nothing")) == []
    assert sources.read(time_left("expires")) == [Reading({"probe": "site"}, 60.0)]
    assert sources.read(logs("level>=error", 60)) == [Reading({}, 7.0)]
    assert asked == [("level>=error", 60)]
    assert sources.read(errors("new")) == [Reading({"error": "f", "type": "new one", "place": "a.py:1"}, 2.0)]
    assert sources.read(uptime()) == [Reading({"probe": "site"}, 0.0), Reading({"probe": "mail"}, 1.0)]
    assert sources.read(uptime("mail")) == [Reading({"probe": "mail"}, 1.0)]
    assert sources.read(lambda: [Reading({}, 1.0)]) == [Reading({}, 1.0)]


def test_what_several_rules_ask_for_is_read_once() -> None:
    """In one evaluation, also where it fails; in the next one it is read again."""
    reads: list[str] = []

    def series() -> dict[str, float]:
        reads.append("series")
        return {"a": 1.0}

    def totals() -> Totals:
        reads.append("totals")
        raise RuntimeError

    sources = Sources(series=series, totals=totals)
    for _ in range(2):
        once = sources.once()
        assert [once.read(metric("a")) for _ in range(3)] == [[Reading({}, 1.0)]] * 3
        for _ in range(3):
            with pytest.raises(RuntimeError):
                once.read(metric("b"))
    assert reads == ["series", "totals"] * 2


def test_a_rule_without_its_source_or_channel_is_refused() -> None:
    """When the alerts are made, not when something is wrong already."""
    nowhere: Any = None
    for of in (metric("x"), time_left("x"), logs("x"), errors("new"), uptime()):
        with pytest.raises(ConfigurationError, match=r"alert rule 'r': .* no source"):
            Alerts(nowhere, rules=[Absence("r", of)])
    with pytest.raises(ConfigurationError, match="no channel 'ops', known are mail"):
        Alerts(nowhere, rules=[Absence("r", list, channels=("ops",))], channels={"mail": nowhere})
    with pytest.raises(ConfigurationError, match="two alert rules"):
        Alerts(nowhere, rules=[Absence("r", list), Absence("r", list)])
    with pytest.raises(ConfigurationError, match="channel's name"):
        Alerts(nowhere, channels={"a b": nowhere})
    with pytest.raises(ConfigurationError, match="two alert rules"):
        Alerts(nowhere, rules=[Absence(UNKNOWN, list)])


def test_what_can_never_have_an_answer_is_refused() -> None:
    """A query that is none, a time that is none, a probe that is not looked at."""
    sources = Sources(logs=lambda query, seconds: 0, uptime=list, probes=["site"])
    for of in (logs("level>="), logs("a", 0), logs("a", 1e20), logs("a", float("nan")), uptime("gone")):
        with pytest.raises(ConfigurationError, match="it asks for"):
            sources.check(of)
    for of in (logs('level>=error "disk full" since:1h', 86400), uptime("site"), uptime()):
        sources.check(of)
