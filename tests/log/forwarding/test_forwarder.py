"""The forwarder: at least once and in order, whatever the receiver does, for as long as the spool has room."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.log.forwarding import Forwarder, Later, Refused, shipper_for
from postrmagic_core.log.spool import Spool, SpoolReader
from postrmagic_core.testing.clock import FakeClock
from postrmagic_core.testing.contracts.log_shipper import line
from postrmagic_core.testing.contracts.log_sink_rig import ended, forked
from postrmagic_core.testing.waiting import until
from tests.log.forwarding.receivers import HttpReceiver, Note

Make = Callable[..., Forwarder]


def numbered(count: int, start: int = 0, size: int = 0) -> list[bytes]:
    """Lines that tell their number."""
    return [line(str(number), fill="." * size) for number in range(start, start + count)]


def texts(count: int, start: int = 0) -> list[str]:
    """What these tell."""
    return [str(number) for number in range(start, start + count)]


def bad(*malformed: str) -> Callable[[Sequence[bytes]], None]:
    """Refuses a batch with one of these in it."""

    def judge(lines: Sequence[bytes]) -> None:
        if any(b'"event":"%s"' % text.encode() in each for each in lines for text in malformed):
            raise Refused("malformed")

    return judge


def broken(error: Exception) -> Callable[[Sequence[bytes]], None]:
    """Always this."""

    def fail(lines: Sequence[bytes]) -> None:
        raise error

    return fail


@pytest.fixture
def note() -> Note:
    """A receiver in memory."""
    return Note()


@pytest.fixture
def clock() -> FakeClock:
    """Time that steps move."""
    return FakeClock()


@pytest.fixture
def metrics() -> Metrics:
    """Of the test's forwarders."""
    return Metrics()


@pytest.fixture
def make(tmp_path: Path, note: Note, clock: FakeClock, metrics: Metrics) -> Iterator[Make]:
    """Makes forwarders from the test's spool, whose steps the test makes; the chance in their pauses is a half."""
    made: list[Forwarder] = []

    def forwarder(shipper: Note | None = None, name: str = "note") -> Forwarder:
        made.append(
            Forwarder(tmp_path / "spool", shipper or note, name=name, metrics=metrics, clock=clock, random=lambda: 0.5)
        )
        return made[-1]

    yield forwarder
    for each in made:
        each._close()


def count(metrics: Metrics, name: str, to: str = "note") -> int:
    """The counter of this name."""
    return metrics.counter(f"log_forward_{name}_total", to=to).value


def behind(metrics: Metrics) -> list[float]:
    """What the gauge tells, if it does."""
    return [value for name, _, value in metrics.gauges() if name == "log_forward_behind_bytes"]


def test_lines_arrive_once_and_in_order(make: Make, spool: Spool, note: Note, metrics: Metrics) -> None:
    """In batches of a thousand; then there is nothing to do for a second."""
    forwarder = make()
    spool.write(numbered(2500))
    waits = [forwarder.step() for _ in range(5)]
    assert note.texts == texts(2500)
    assert max(map(len, note.batches)) == 1000
    assert waits[-1] == 1.0
    assert set(waits[:-1]) == {0.0, 1.0} or set(waits[:-1]) == {0.0}
    assert count(metrics, "lines") == 2500
    assert behind(metrics) == [0.0]


def test_an_hour_without_receiver_loses_nothing(
    make: Make, spool: Spool, note: Note, clock: FakeClock, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    """Lines go on being made; a minute at most lies between two tries; it is told once, and once that it is over."""
    forwarder = make()
    note.fails = broken(ConnectionRefusedError("refused"))
    waits: list[float] = []
    began, written = clock.monotonic(), 0
    while clock.monotonic() - began < 3600:
        spool.write(numbered(20, written))
        written += 20
        waits.append(forwarder.step())
        clock.advance(waits[-1] or 30)
    assert waits[:8] == [0.75, 1.5, 3, 6, 12, 24, 45, 45]
    assert max(waits) <= 60
    assert behind(metrics)[0] > written * 80
    note.fails = lambda lines: None
    while forwarder.step() == 0.0:
        continue
    assert note.texts == texts(written)
    assert count(metrics, "lost_bytes") == 0
    assert count(metrics, "failures") == len(waits)
    assert [record.getMessage() for record in caplog.records] == [
        "the log is not forwarded to note: refused",
        f"the log is forwarded to note again, after {len(waits)} failures",
    ]


def test_what_the_spool_cannot_hold_is_counted(make: Make, tmp_path: Path, note: Note, metrics: Metrics) -> None:
    """To the byte; what it does hold arrives in order."""
    written = numbered(3000, size=100)
    with closing(Spool(tmp_path / "spool", 64 * 1024)) as small:
        for at in range(0, 3000, 20):
            small.write(written[at : at + 20])
    forwarder = make()
    with closing(SpoolReader(tmp_path / "spool")) as reader:
        epoch = reader.read().position.partition(":")[0]
    (tmp_path / "spool" / "note.position").write_text(f"{epoch}:0")
    while forwarder.step() == 0.0:
        continue
    arrived = [each for batch in note.batches for each in batch]
    assert arrived == written[-len(arrived) :]
    assert count(metrics, "lost_bytes") == sum(len(each) + 1 for each in written[: -len(arrived)]) > 0


def test_a_receiver_that_asks_for_time_gets_it(make: Make, spool: Spool, note: Note) -> None:
    """As long as it asks, if that is longer than the pause would be."""
    forwarder = make()
    spool.write(numbered(1))
    for after, wait in ((120.0, 120.0), (0.0, 1.5)):
        note.fails = broken(Later("answered 429", after))
        assert forwarder.step() == wait
    note.fails = lambda lines: None
    assert forwarder.step() == 0.0
    assert note.texts == texts(1)


def test_a_malformed_line_is_found_and_dropped(make: Make, spool: Spool, note: Note, metrics: Metrics) -> None:
    """It alone, wherever it stands in its batch; all others arrive once and in order."""
    forwarder = make()
    note.fails = bad("0", "41", "99")
    spool.write(numbered(100))
    while forwarder.step() == 0.0:
        continue
    assert note.texts == [text for text in texts(100) if text not in ("0", "41", "99")]
    assert count(metrics, "refused") == 3
    assert count(metrics, "lines") == 97
    assert count(metrics, "failures") == 0


def test_a_receiver_that_refuses_everything_is_slowed_down(
    make: Make, spool: Spool, note: Note, clock: FakeClock, metrics: Metrics
) -> None:
    """A wrong address may answer 400 to all: after sixteen lines each costs a pause, and few are lost in an hour."""
    forwarder = make()
    note.fails = broken(Refused("malformed"))
    spool.write(numbered(1000))
    began = clock.monotonic()
    while clock.monotonic() - began < 3600:
        clock.advance(forwarder.step() or 0.01)
    assert 16 < count(metrics, "refused") < 150
    note.fails = lambda lines: None
    while forwarder.step() == 0.0:
        continue
    assert note.texts == texts(1000)[-len(note.texts) :]
    assert len(note.texts) == 1000 - count(metrics, "refused")


def test_an_outage_in_the_midst_of_a_split_keeps_the_order(make: Make, spool: Spool, note: Note) -> None:
    """What arrived of the batch does not come again, since the process goes on."""
    forwarder = make()
    note.fails = bad("5")
    spool.write(numbered(10))
    for _ in range(20):
        if "3" not in note.texts:
            forwarder.step()
    note.fails = broken(TimeoutError("timed out"))
    assert forwarder.step() > 0
    note.fails = bad("5")
    while forwarder.step() != 1.0:
        continue
    assert note.texts == [text for text in texts(10) if text != "5"]


def test_what_is_no_json_is_left_out_and_counted(make: Make, spool: Spool, note: Note, metrics: Metrics) -> None:
    """The half line of a process that was killed is nothing to bother a receiver with."""
    spool.write([*numbered(1), b'{"torn":{"a"}', *numbered(1, 1)])
    make().step()
    assert note.texts == ["0", "1"]
    assert count(metrics, "refused") == 1


def test_it_does_not_feed_on_its_own_records(
    make: Make, spool: Spool, note: Note, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A receiver that fails at every other try, whose failures are forwarded to it, hears of it once a minute."""
    forwarder = make()
    turns = iter(range(1_000_000))

    def by_turns(lines: Sequence[bytes]) -> None:
        if next(turns) % 2 == 0:
            raise OSError("by turns")

    note.fails = by_turns
    spool.write(numbered(1))
    began, told = clock.monotonic(), 0
    while clock.monotonic() - began < 600:
        clock.advance(forwarder.step() or 0.01)
        if len(caplog.records) > told:
            told = len(caplog.records)
            spool.write([line(caplog.records[-1].getMessage(), logger="postrmagic_core.log")])
    assert 2 <= told <= 22


def test_a_refusal_of_its_own_record_is_not_told(
    make: Make, spool: Spool, note: Note, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """That record would be refused, too; of others it tells once a minute."""
    forwarder = make()
    note.fails = broken(Refused("malformed"))
    for text in ("a", "b"):
        spool.write([line(text, logger="postrmagic_core.log"), line(text), line(text)])
        for _ in range(10):
            forwarder.step()
        clock.advance(61)
    assert [record.getMessage() for record in caplog.records] == [
        "the receiver note refuses a line of the log: malformed"
    ] * 2


def test_the_next_process_goes_on_where_the_receiver_had_it(make: Make, spool: Spool, note: Note) -> None:
    """What was acknowledged does not come again, and what was not does."""
    spool.write(numbered(10))
    first = make()
    while first.step() == 0.0:
        continue
    spool.write(numbered(5, 10))
    note.fails = broken(OSError("away"))
    first.step()
    first._close()
    note.fails = lambda lines: None
    second = make()
    while second.step() == 0.0:
        continue
    assert note.texts == texts(15)


def test_a_position_that_cannot_be_kept_costs_lines_twice_and_none(
    make: Make, spool: Spool, note: Note, tmp_path: Path
) -> None:
    """Its place is taken by a directory, as a full disk refuses it; shipping goes on."""
    forwarder = make()
    forwarder.step()
    (tmp_path / "spool" / "note.position").unlink(missing_ok=True)
    (tmp_path / "spool" / "note.position").mkdir()
    spool.write(numbered(3))
    assert forwarder.step() == 0.0
    spool.write(numbered(3, 3))
    assert forwarder.step() == 0.0
    forwarder._close()
    make().step()
    assert note.texts == [*texts(6), *texts(6)]


def test_of_two_one_ships(make: Make, spool: Spool, note: Note, metrics: Metrics) -> None:
    """The other looks every three seconds, tells nothing of what is behind, and takes over when the first is gone."""
    first, second, other = make(), make(Note()), make(elsewhere := Note(), "elsewhere")
    spool.write(numbered(5))
    assert [first.step(), second.step(), other.step()] == [0.0, 3.0, 0.0]
    assert (first.ships, second.ships, other.ships) == (True, False, True)
    assert (note.texts, elsewhere.texts) == (texts(5), texts(5))
    assert len(behind(metrics)) == 2
    first._close()
    assert second.step() == 1.0
    assert second.ships


def test_a_removed_directory_is_taken_again(make: Make, spool: Spool, note: Note, tmp_path: Path) -> None:
    """With its lock: else two would ship, each holding another one."""
    forwarder, other = make(), make()
    spool.write(numbered(2))
    forwarder.step()
    for path in (tmp_path / "spool").iterdir():
        path.unlink()
    spool.write(numbered(2, 2))
    assert other.step() == 0.0
    assert forwarder.step() == 3.0
    assert note.texts == texts(4)


def test_a_disk_that_refuses_is_a_failure(make: Make, tmp_path: Path, metrics: Metrics) -> None:
    """The spool's place is a file: it is tried again, and said."""
    (tmp_path / "spool").write_text("")
    assert make().step() == 3.0
    assert count(metrics, "failures") == 1


def test_a_shipper_with_a_fault_ends_nothing(make: Make, spool: Spool, note: Note, metrics: Metrics) -> None:
    """What is no OSError is a failure like others."""
    forwarder = make()
    note.fails = broken(ZeroDivisionError())
    spool.write(numbered(1))
    assert forwarder.step() > 0
    note.fails = lambda lines: None
    assert forwarder.step() == 0.0
    assert (note.texts, count(metrics, "failures")) == (["0"], 1)


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "ü"])
def test_a_name_that_is_no_file_s(name: str, tmp_path: Path) -> None:
    """It is refused at once."""
    with pytest.raises(ConfigurationError, match="letters, digits and dashes"):
        Forwarder(tmp_path, Note(), name=name, metrics=Metrics())


def test_a_thread_does_it_until_it_is_closed(tmp_path: Path, spool: Spool, note: Note) -> None:
    """What is written before closing still arrives, and closing closes the shipper."""
    with Forwarder(tmp_path / "spool", note, name="note", metrics=Metrics()):
        spool.write(numbered(3))
        until(lambda: len(note.texts) == 3, "the lines did not arrive")
        spool.write(numbered(3, 3))
    assert note.texts == texts(6)
    assert note.closed == 1


def test_closing_does_not_wait_for_a_receiver_that_is_away(tmp_path: Path, spool: Spool, note: Note) -> None:
    """After a failure nothing is tried any more: the spool has it."""
    tried: list[int] = []

    def fail(lines: Sequence[bytes]) -> None:
        tried.append(len(lines))
        raise OSError("away")

    note.fails = fail
    spool.write(numbered(3))
    with Forwarder(tmp_path / "spool", note, name="note", metrics=Metrics()):
        until(lambda: tried, "it did not try")
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert len(tried) <= 3


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_neither_ships_nor_takes_the_lock_along(make: Make, spool: Spool, note: Note) -> None:
    """Its parent ships on; when that ends, another process may, though the child lives."""
    forwarder, other = make(), make()
    spool.write(numbered(1))
    forwarder.step()
    asking, telling = os.pipe()

    def child() -> None:
        assert not forwarder.ships
        assert forwarder.step() == 3.0
        os.read(asking, 1)

    pid = forked(child)
    try:
        assert forwarder.ships
        time.sleep(0.1)
        forwarder._close()
        assert other.step() == 1.0
    finally:
        os.write(telling, b".")
        ended(pid)
        os.close(asking)
        os.close(telling)


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_after_a_kill_another_process_takes_over(tmp_path: Path, spool: Spool, receiver: HttpReceiver) -> None:
    """In the midst of a batch that the receiver has and did not answer: nothing is missing, some may be twice."""

    def ship() -> None:
        with Forwarder(tmp_path / "spool", shipper_for(receiver.url), name="far", metrics=Metrics()):
            time.sleep(60)

    children = [forked(ship)]
    try:
        spool.write(numbered(300))
        until(lambda: len(receiver.texts) == 300, "the first lines did not arrive")
        until((tmp_path / "spool" / "far.position").exists, "where it is was not kept")
        with receiver.silence():
            spool.write(numbered(300, 300))
            until(lambda: len(receiver.asked) > len(receiver.taken), "the next batch did not set out")
            children.append(forked(ship))
            os.kill(children[0], signal.SIGKILL)
        until(lambda: "599" in receiver.texts, "nobody took over", 10)
    finally:
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    arrived = receiver.texts
    assert list(dict.fromkeys(arrived)) == texts(600)
    assert arrived[:300] == texts(300)


def test_nobody_else_may_read_its_files(make: Make, spool: Spool, tmp_path: Path) -> None:
    """As those of the spool that they lie in."""
    spool.write(numbered(1))
    make().step()
    modes = {path.suffix: path.stat().st_mode & 0o777 for path in (tmp_path / "spool").iterdir()}
    assert {".lock", ".position"} < modes.keys()
    assert not any(mode & 0o137 for mode in modes.values())
