"""Flags are set in a transaction with their audit row, count at once here and soon elsewhere, and never make a fuss."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert, text, update

from postrmagic_core._metrics import Metrics
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import ConfigurationError, NotOpen, OutcomeUnknown, OutsideUnit, UsageError
from postrmagic_core.flags import Flag, Flags, Rule, rows
from postrmagic_core.flags.tables import flags as table
from postrmagic_core.security.access import AuditLog, User
from postrmagic_core.testing import FakeClock, until
from postrmagic_core.testing.process import spawn
from tests.flags.conftest import RULES, Opener

STAFF = User("7", frozenset({"staff"}))


def told(audit: AuditLog) -> list[tuple[str, str | None, str | None, Any]]:
    """The audit log, the oldest first."""
    return [(row.action, row.actor, row.subject, dict(row.detail)) for row in audit.find()][::-1]


def events(caplog: pytest.LogCaptureFixture, event: str) -> list[Any]:
    """What was logged under this name."""
    return [record for record in caplog.records if getattr(record, "event", "") == event]


def by_hand(database: DatabaseManager, name: str, rule: bytes) -> None:
    """A row that this package did not write."""
    with database.write() as tx:
        tx.execute(insert(table).values(name=name, rule=rule, changed_us=1, changed_by=None))


def test_settings_say_it_until_the_database_does(flags: Flags) -> None:
    """Given rules of settings, when one is set, then it counts in their place, and they again once it is cleared."""
    assert flags.on("gallery", "7")
    assert flags.on("gallery")
    assert flags.on("search", STAFF)
    assert not flags.on("search", "7"), "an id alone has no roles"
    assert flags.set("gallery", Rule(users=frozenset({"8"})), actor="1")
    assert not flags.on("gallery", "7")
    assert flags.on("gallery", "8")
    assert flags.clear("gallery", actor="1")
    assert flags.on("gallery", "7")
    assert flags.clear("gallery", actor="1") is False


def test_what_was_changed_is_audited_with_both_rules(flags: Flags, audit: AuditLog) -> None:
    """Given changes, then each has its row; what changes nothing has none."""
    half = Rule(percent=50, note="the second step")
    assert flags.set("new", Rule(percent=5), actor="1") is True
    assert flags.set("new", Rule(percent=5.0), actor="2") is False
    assert flags.set("new", half, actor="2") is True
    assert flags.clear("new", actor=None) is True
    first: dict[str, Any] = {"percent": 5.0}
    second = {"percent": 50.0, "note": "the second step"}
    assert told(audit) == [
        ("flag.set", "1", "new", {"old": None, "new": first}),
        ("flag.set", "2", "new", {"old": first, "new": second}),
        ("flag.cleared", None, "new", {"old": second, "new": None}),
    ]


def test_the_largest_rules_fit_into_the_audit_log(flags: Flags, audit: AuditLog) -> None:
    """Given two rules as large as may be, when one takes the other's place, then the row names all users of both."""
    large = [Rule(users=frozenset(f"ä{each}-{n}" for n in range(250))) for each in "ab"]
    assert min(len(rule.encoded()) for rule in large) > 3300
    for rule in large:
        flags.set("new", rule, actor="1")
    detail: Any = audit.find()[0].detail
    assert (len(detail["old"]["users"]), len(detail["new"]["users"])) == (250, 250)


def test_a_change_is_the_transactions(flags: Flags, database: DatabaseManager, audit: AuditLog) -> None:
    """Given a transaction, then a flag set in it counts after the commit and not before, and not after a rollback."""
    on = Rule(percent=100)

    def failing(tx: Any) -> None:
        assert flags.set("new", on, actor="1", tx=tx)
        assert not flags.on("new", "7")
        raise RuntimeError

    def undone(tx: Any) -> None:
        with tx.savepoint():
            flags.set("new", Rule(), actor="1", tx=tx)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        database.transact(failing)
    assert not flags.on("new", "7")
    assert (flags.list(), audit.find()) == ([flag for flag in flags.list() if flag.name != "new"], [])
    with database.write() as tx:
        with pytest.raises(OutsideUnit):
            flags.set("new", on, actor="1")
        flags.set("new", on, actor="1", tx=tx)
        with pytest.raises(RuntimeError):
            undone(tx)
        assert not flags.on("new", "7")
    assert flags.on("new", "7"), "at once, in this process; the savepoint's counts for nothing"


def test_another_process_sees_it_soon(flags: Flags, open_flags: Opener) -> None:
    """Given a second manager that is asked, when the first sets a flag, then the second learns of it by itself."""
    second = open_flags()
    assert not second.on("new", "7")
    flags.set("new", Rule(percent=100), actor="1")
    until(lambda: second.on("new", "7"))
    flags.clear("new", actor="1")
    until(lambda: not second.on("new", "7"))
    assert "new" not in second.known()


def test_what_was_set_before_it_was_opened_counts_from_the_first_question(flags: Flags, open_flags: Opener) -> None:
    """Given a flag in the database, when a process starts, then its first answer knows it."""
    flags.set("gallery", Rule(), actor="1")
    assert not open_flags(max_age=3600).on("gallery", "7")


def test_a_read_that_began_before_a_change_does_not_undo_it(flags: Flags, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given rows that were read before a flag was set here, when they arrive after it, then they are not taken."""
    assert not flags.on("new", "7")
    read = rows.read
    overtaken: list[bool] = []

    def slowly(tx: Any) -> Any:
        found = read(tx)
        if not overtaken:
            overtaken.append(True)
            setting = threading.Thread(target=flags.set, args=("new", Rule(percent=100)), kwargs={"actor": "1"})
            setting.start()
            setting.join()
            assert flags.on("new", "7")
        return found

    monkeypatch.setattr(rows, "read", slowly)
    flags._standing.load()
    assert overtaken
    assert flags.on("new", "7")


def test_after_a_commit_of_unknown_outcome_they_are_read_again(flags: Flags, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a commit whose answer was cut off, of which no hook is told, then what it did counts here soon."""

    def unknown(database: Any, work: Any, **options: object) -> bool:
        with database.write() as unit:
            work(unit)
            unit._staging.after_commit.clear()
        raise OutcomeUnknown("cut off")

    monkeypatch.setattr("postrmagic_core.flags.manager.in_own_unit", unknown)
    assert not flags.on("new", "7")
    with pytest.raises(OutcomeUnknown):
        flags.set("new", Rule(percent=100), actor="1")
    until(lambda: flags.on("new", "7"))


def test_an_unknown_flag_is_off_and_told_once(flags: Flags, caplog: pytest.LogCaptureFixture) -> None:
    """Given a name that nobody declared, then it is off, logged once with the name that was meant, and explained."""
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        assert not flags.on("galery", STAFF)
        assert not flags.fixed("7").on("galery")
    (record,) = events(caplog, "flags.unknown")
    assert (record.flag, record.hint) == ("galery", "did you mean gallery?")
    assert "there is no such flag" in str(flags.explain("galery", "7"))
    assert flags.known() == ["gallery", "search"]
    for n in range(1100):
        flags.on(f"\x1b[2J{n}" * 50)
    found = events(caplog, "flags.unknown")
    assert len(found) == 1000, "names may come from outside: not every one is kept"
    assert all(record.flag.isprintable() and len(record.flag) < 500 for record in found)
    wrong: Any = 7
    assert flags.on(wrong) is False


def test_names_without_end_cost_little(flags: Flags, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given more unknown names than are told of, then nobody looks for what the rest resemble: that takes a while."""
    looked: list[str] = []

    def matches(name: str, known: Any, number: int) -> list[str]:
        looked.append(name)
        return []

    monkeypatch.setattr("postrmagic_core.flags.manager.get_close_matches", matches)
    assert not any(flags.on(f"name-{n}") for n in range(1500))
    assert len(looked) == 1000


def test_strictly_a_misspelt_flag_is_an_error(open_flags: Opener) -> None:
    """Given development, then a flag that nobody declared raises, again and again, and names the one that was meant."""
    strict = open_flags(strict=True, max_age=3600.0)
    assert strict.on("gallery", "7")
    for _ in range(2):
        with pytest.raises(UsageError, match="did you mean gallery"):
            strict.on("galery", "7")


def test_answers_that_were_fixed_do_not_change(flags: Flags) -> None:
    """Given a request's view, when flags are set and cleared, then it says what it said."""
    before = flags.fixed(STAFF)
    flags.set("gallery", Rule(), actor="1")
    flags.set("new", Rule(percent=100), actor="1")
    assert before.state() == {"gallery": True, "search": True}
    assert (before.on("gallery"), before.on("new")) == (True, False)
    assert flags.state(STAFF) == {"gallery": False, "new": True, "search": True}
    assert flags.state("8", ["new", "absent"]) == {"new": True, "absent": False}
    assert flags.state() == {"gallery": False, "new": True, "search": False}


def test_it_is_explained(flags: Flags) -> None:
    """Given a decision, then its reason, bucket and source are told, and the sentence says the same."""
    why = flags.explain("search", STAFF)
    assert (why.on, why.reason, why.source, why.bucket) == (True, "role", "settings", 1.57)
    assert str(why) == "search is on for user 7: a role of theirs is named"
    flags.set("search", Rule(percent=1.57), actor="1")
    assert str(flags.explain("search", "7")) == "search is off for user 7: their bucket 1.57 is not below 1.57 percent"
    flags.set("search", Rule(percent=1.58), actor="1")
    assert str(flags.explain("search", "7")) == "search is on for user 7: their bucket 1.57 is below 1.58 percent"
    nobody = flags.explain("search")
    assert (nobody.on, nobody.bucket, nobody.source) == (False, None, "database")
    assert "\x1b" not in str(flags.explain("\x1b[2J", "\x1b[2J"))


def test_a_list_tells_what_is_stored(flags: Flags) -> None:
    """Given flags of both origins, then each says where it comes from, who set it, and what settings say."""
    flags.set("gallery", Rule(percent=1), actor="1")
    gallery, search = flags.list()
    assert (gallery.name, gallery.rule, gallery.source) == ("gallery", Rule(percent=1), "database")
    assert (gallery.configured, gallery.changed_by) == (Rule(percent=100), "1")
    assert gallery.changed_at is not None
    assert search == Flag("search", Rule.of(RULES["search"]), "settings", Rule.of(RULES["search"]))


def test_a_garbled_row_leaves_what_settings_say(
    open_flags: Opener, database: DatabaseManager, caplog: pytest.LogCaptureFixture
) -> None:
    """Given rows that are no rules, then settings count, each is logged once by name, and may be set or cleared."""
    for name, rule in [("gallery", b'{"percent": NaN}'), ("new", b"\xff"), ("A\x1bB", b'{"percent": 100}')]:
        by_hand(database, name, rule)
    flags = open_flags()
    assert flags.on("gallery", "7")
    assert not flags.on("new", "7")
    assert not flags.on("A\x1bB", "7")
    flags._standing.load()
    assert [record.flag for record in events(caplog, "flags.row_refused")] == ["A\\x1bB", "gallery", "new"]
    assert events(caplog, "flags.unknown") == [], "it is known, and off"
    faults = {flag.name: (flag.source, bool(flag.fault)) for flag in flags.list()}
    assert faults == {
        "A\x1bB": ("nowhere", True),
        "gallery": ("settings", True),
        "new": ("nowhere", True),
        "search": ("settings", False),
    }
    assert flags.clear("A\x1bB", actor="1")
    assert flags.set("gallery", Rule(percent=1), actor="1")
    assert flags.set("new", Rule(percent=100), actor="1")
    assert flags.on("new", "7")
    assert [flag.name for flag in flags.list() if flag.fault] == []


def test_a_rule_that_was_typed_into_the_database_counts(
    open_flags: Opener, database: DatabaseManager, kept_url: str
) -> None:
    """Given SQL by hand, in an emergency, then it counts; whatever type SQLite keeps in a column breaks nothing."""
    with database.write() as tx:
        row = "INSERT INTO pm_flags (name, rule, changed_us) VALUES"
        tx.execute(text(f"""{row} ('gallery', '{{"percent": 0}}', 1)"""))
        if kept_url.startswith("sqlite"):
            tx.execute(text(f"{row} (7, 8.5, 'soon')"))
            tx.execute(text(f"{row} ('late', 'null', 9223372036854775807)"))
    flags = open_flags()
    assert not flags.on("gallery", "7")
    assert flags.list()[-1].name == "search"


def test_numbers_of_flags_are_bounded(flags: Flags, database: DatabaseManager) -> None:
    """Given a thousand flags, then one more is refused, one of them may still be changed, and all count."""
    with database.write() as tx:
        values = [{"name": f"f{n}", "rule": b'{"percent":100}', "changed_us": 1} for n in range(rows.MOST)]
        tx.execute(insert(table), values)
    with pytest.raises(UsageError, match="1,000 flags"):
        flags.set("new", Rule(), actor="1")
    assert flags.set("f1", Rule(), actor="1")
    until(lambda: flags._standing.load() or flags.on("f999", "7"))
    assert (flags.on("f1", "7"), flags.on("f999", "7")) == (False, True)


def set_many(url: str, who: str, times: int) -> None:
    """A process that sets one flag again and again."""
    with DatabaseManager(url) as database, AuditLog(database) as audit, Flags(database, audit=audit) as flags:
        for n in range(times):
            flags.set("both", Rule(percent=n, note=who), actor=who)


def test_of_two_processes_the_last_wins_and_both_are_noted(kept_url: str, audit: AuditLog, flags: Flags) -> None:
    """Given two processes that set one flag at once, then each change is noted with the one before it, in one chain."""
    with spawn(set_many, kept_url, "one", 10) as one, spawn(set_many, kept_url, "two", 10) as two:
        assert (one.wait(), two.wait()) == (0, 0)
    chain = [(detail["old"], detail["new"]) for _, _, _, detail in told(audit)]
    assert len(chain) == 20
    befores = [json.dumps(old, sort_keys=True) for old, _ in chain]
    afters = ["null", *(json.dumps(new, sort_keys=True) for _, new in chain)]
    final = next(flag for flag in flags.list() if flag.name == "both")
    afters.remove(json.dumps(final.rule.as_json(), sort_keys=True))
    assert sorted(befores) == sorted(afters), "none was made from what another had replaced"


def test_a_clock_that_is_put_back_changes_nothing(open_flags: Opener, database: DatabaseManager) -> None:
    """Given a clock that was ahead for the first change, then the second counts all the same, here and elsewhere."""
    flags = open_flags()
    flags.set("new", Rule(percent=100), actor="1")
    with database.write() as tx:
        tx.execute(update(table).values(changed_us=2**55))
    flags.set("new", Rule(), actor="1")
    assert not flags.on("new", "7")
    assert not open_flags().on("new", "7")


@pytest.mark.parametrize("rules", [{"a": {"percent": 101}}, {"A": {}}, {"a": [1]}, {"a": {"roles": "staff"}}], ids=str)
def test_settings_that_are_wrong_are_named(database: DatabaseManager, audit: AuditLog, rules: Any) -> None:
    """Given rules of settings that are none, then there are no flags at all, and the error names the flag."""
    with pytest.raises(ConfigurationError, match=r"flags\.rules.*'[aA]'"):
        Flags(database, audit=audit, rules=rules)


def test_wrong_arguments_are_refused(flags: Flags, database: DatabaseManager, audit: AuditLog) -> None:
    """Given what cannot be stored, then nothing is, and the error says what is expected."""
    mapping: Any = {"percent": 10}
    with pytest.raises(TypeError, match=r"Rule\.of"):
        flags.set("new", mapping, actor="1")
    for name in ("New", "", "a" * 65):
        with pytest.raises(ValueError, match="flag's name"):
            flags.set(name, Rule(), actor="1")
    wrong: list[Any] = ["", "x" * 191, "é" * 96, "\ud800", 7]
    for actor in wrong:
        # Within a transaction that goes on all the same: neither the flag without its row of the audit, nor the row.
        with database.write() as tx:
            with pytest.raises(ValueError, match="expected as actor a text of 1 to 190 bytes"):
                flags.set("new", Rule(), actor=actor, tx=tx)
            with pytest.raises(ValueError, match="expected as actor a text of 1 to 190 bytes"):
                flags.clear("new", actor=actor, tx=tx)
    for age in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="max_age"):
            Flags(database, audit=audit, max_age=age)
    assert [flag.name for flag in flags.list()] == ["gallery", "search"]
    assert audit.find() == []


def _is(flags: Flags, on: bool) -> bool:
    return flags.on("new", "7") is on


def test_it_is_used_while_it_is_open(database: DatabaseManager, audit: AuditLog) -> None:
    """Given flags that are not open, or no longer, then they say so; opened again they keep up again."""
    flags = Flags(database, audit=audit, max_age=0.05)
    with pytest.raises(NotOpen):
        flags.on("gallery")
    for percent in (100, 0):
        with flags:
            assert not flags.on("absent", "7")
            with Flags(database, audit=audit) as other:
                other.set("new", Rule(percent=percent), actor="1")
            until(partial(_is, flags, percent == 100))
        with pytest.raises(NotOpen):
            flags.fixed()
    assert not any(thread.name.startswith("postrmagic-flags") for thread in threading.enumerate())


def test_the_figures(database: DatabaseManager, audit: AuditLog) -> None:
    """Given changes, then they are counted; given questions, then the age of the rules is told."""
    metrics = Metrics()
    clock = FakeClock()

    def age() -> list[float]:
        return [value for name, _, value in metrics.gauges() if name == "flag_rules_age_seconds"]

    with Flags(database, audit=audit, metrics=metrics, clock=clock, max_age=3600) as flags:
        clock.advance(5)
        assert age() == [], "nobody has asked for a flag"
        flags.fixed()
        until(lambda: age() == [0])
        clock.advance(5)
        assert age() == [5]
        flags.set("new", Rule(), actor="1")
        assert {name: value for name, _, value in metrics.counters()} == {
            "flag_changes_total": 1,
            "flag_load_failures_total": 0,
        }


def test_the_async_face(flags: Flags, database: DatabaseManager) -> None:
    """Given an event loop, then decisions are called, changes awaited, in a unit or in their own."""

    async def run() -> None:
        aio = flags.aio
        assert aio.on("gallery", "7")
        assert await aio.set("new", Rule(percent=100), actor="1")
        assert aio.fixed("7").on("new")
        assert aio.state("7", ["new"]) == {"new": True}
        assert "new" in aio.known()
        assert aio.explain("new", "7").on
        async with database.aio.write() as tx:
            with pytest.raises(OutsideUnit):
                await aio.clear("new", actor="1")
            assert await aio.set("new", Rule(), actor="1", tx=tx)
            assert aio.on("new", "7")
        assert not aio.on("new", "7")
        assert await aio.clear("new", actor="1")
        assert [flag.name for flag in await aio.list()] == ["gallery", "search"]

    asyncio.run(run())


def test_threads_may_ask_and_set_at_once(open_flags: Opener) -> None:
    """Given threads that ask while others set, then none fails, and in the end all know the last rule."""
    flags, other = open_flags(), open_flags()
    failures: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            for _ in range(20):
                work()
        except BaseException as error:
            failures.append(error)

    def ask() -> None:
        view = flags.fixed(STAFF)
        for _ in range(50):
            assert view.on("new") == view.on("new")
            flags.state(STAFF)

    numbers = iter(range(1, 100))
    work: list[Callable[[], object]] = [ask, ask, lambda: other.set("new", Rule(percent=next(numbers)), actor="1")]
    threads = [threading.Thread(target=guarded, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    other.set("new", Rule(percent=100), actor="1")
    until(lambda: flags.on("new", "7") and other.on("new", "7"))
