"""Two places for the same lines: the log's own output is as ever, whatever becomes of the spool."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.log import configure, get_logger
from postrmagic_core.log.adapters import tee as tees
from postrmagic_core.log.adapters.file import FileSink
from postrmagic_core.log.adapters.memory import MemorySink
from postrmagic_core.log.adapters.tee import Tee
from postrmagic_core.log.interface import Sink
from postrmagic_core.log.render import console
from postrmagic_core.log.spool import SpoolReader, pieces
from postrmagic_core.testing.contracts.log_sink import LogSinkContract
from postrmagic_core.testing.contracts.log_sink_rig import PROMPT, Outlet, writer
from postrmagic_core.testing.waiting import until
from tests.log.outlets import filled, lines_of


class Moody(MemorySink):
    """Refuses when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = False
        self.asked = 0

    def write(self, lines: Sequence[bytes]) -> int:
        """One line at a time."""
        self.asked += 1
        if self.refuses:
            raise OSError(28, "No space left on device")
        return super().write(lines[:1])


class TestTee(LogSinkContract):
    """It keeps what its first sink promises."""

    @pytest.fixture
    def outlet(self, tmp_path: Path) -> Outlet:
        """A file, and lines in memory."""
        path = tmp_path / "app.log"

        def opened() -> Sink:
            return Tee(FileSink(path), MemorySink(), Metrics())

        return Outlet(opened, lambda: lines_of(path), lambda: filled(path))


@pytest.fixture
def spooled(tmp_path: Path) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What the spool got since the last time."""
    with closing(SpoolReader(tmp_path / "spool")) as reader:
        yield lambda: [json.loads(line) for line in reader.read().lines]


def test_json_is_the_same_in_both(tmp_path: Path, spooled: Callable[[], list[dict[str, Any]]]) -> None:
    """Byte for byte, errors and what is redacted included; nothing is made twice."""
    stream = io.StringIO()
    with configure(stream=stream, format="json", spool=tmp_path / "spool") as handle:
        get_logger("media").info("uploaded", media_id=7, password="hunter2")
        try:
            raise ValueError("Grüße\u2028")
        except ValueError:
            logging.getLogger("media").exception("failed")
        assert handle.flush()
        directory = tmp_path / "spool"
        assert (directory / pieces(directory)[0].name).read_text(encoding="utf-8") == stream.getvalue()
    assert [event["event"] for event in spooled()] == ["uploaded", "failed"]
    assert "hunter2" not in stream.getvalue()


def test_people_see_what_they_saw_and_the_spool_has_json(
    tmp_path: Path, spooled: Callable[[], list[dict[str, Any]]]
) -> None:
    """The console look is the same with a spool and without, but for the time."""

    def told(**options: Any) -> str:
        stream = io.StringIO()
        with configure(stream=stream, format="console", **options) as handle:
            get_logger("media").info("uploaded", media_id=7, name="Grüße \x1b[31m", token="abc", big=2**70)
            try:
                raise ValueError("wrong")
            except ValueError:
                logging.getLogger("media").exception("failed %s", "twice")
            assert handle.flush()
        return "\n".join(line[12:] if line[:2].isdigit() else line for line in stream.getvalue().split("\n"))

    plain = told()
    both = told(spool=tmp_path / "spool")
    assert "uploaded" in both
    assert plain == both
    uploaded, failed = spooled()
    assert (uploaded["media_id"], uploaded["token"]) == (7, "[redacted]")
    assert failed["exception"]["type"] == "ValueError"


def test_a_spool_that_fails_harms_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its directory is a file: every line is in the output, the others are counted and told once; then it heals."""
    monkeypatch.setattr(tees, "_PAUSE", 0.0)
    place, stream = tmp_path / "spool", io.StringIO()
    place.write_text("")
    with configure(stream=stream, format="json", spool=place) as handle:
        log = get_logger("media")
        for number in range(3):
            log.error("refused", number=number)
            assert handle.flush()
        assert handle.dropped == 0
        assert handle.metrics.counter("log_spool_dropped_total").value == 3
        place.unlink()
        log.info("healed")
        assert handle.flush()
        assert handle.metrics.counter("log_spool_dropped_total").value == 3
    assert len(stream.getvalue().splitlines()) == 4
    with closing(SpoolReader(place)) as reader:
        assert [json.loads(line)["event"] for line in reader.read().lines] == ["healed"]
    assert capsys.readouterr().err.count("the spool failed") == 1


def test_a_failing_spool_is_left_alone_for_a_second() -> None:
    """What it costs a try is not paid by each batch."""
    second, metrics = Moody(), Metrics()
    second.refuses = True
    tee = Tee(MemorySink(), second, metrics)
    for _ in range(10):
        assert tee.write([b"{}"]) == 1
    assert second.asked == 1
    assert metrics.counter("log_spool_dropped_total").value == 10


def test_a_first_that_fails_doubles_nothing() -> None:
    """A line that must not be lost and is given again comes once into the second; one that is lost comes, too."""
    first, second = Moody(), MemorySink()
    with closing(writer(Tee(first, second, Metrics()))) as out:
        first.refuses = True
        out.put(b"lost", False)
        assert not out.flush(0.2)
        out.put(b"urgent", True)
        assert not out.flush(0.2)
        first.refuses = False
        until(lambda: out.flush(0.5), "it did not heal", PROMPT)
        out.put(b"after", False)
        assert out.flush(PROMPT)
    assert list(first.lines)[1:] == [b"urgent", b"after"]
    assert [line for line in second.lines if b"notice" not in line] == [b"lost", b"urgent", b"after"]


def test_what_a_first_takes_by_parts_comes_once() -> None:
    """Each part as it arrives."""
    first, second = Moody(), MemorySink()
    with closing(writer(Tee(first, second, Metrics()))) as out:
        for number in range(20):
            out.put(b"%d" % number, number % 3 == 0)
        assert out.flush(PROMPT)
    assert list(first.lines) == list(second.lines) == [b"%d" % number for number in range(20)]


def test_both_are_closed_though_the_first_does_not_like_it() -> None:
    """And idle is for both."""

    class Stubborn(MemorySink):
        def idle(self) -> None:
            raise OSError("no")

        def close(self) -> None:
            raise OSError("no")

    class Counting(MemorySink):
        calls = 0

        def idle(self) -> None:
            Counting.calls += 1

        close = idle

    tee = Tee(Stubborn(), Counting(), Metrics())
    for call in (tee.idle, tee.close):
        with pytest.raises(OSError, match="no"):
            call()
    assert Counting.calls == 2
    Tee(MemorySink(), Stubborn(), Metrics()).idle()


def test_equal_spools_share_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the directory is written; another one, or another size, is another configuration."""
    monkeypatch.chdir(tmp_path)
    stream = io.StringIO()
    with configure(stream=stream, spool="spool"), configure(stream=stream, spool=tmp_path / "spool"):
        for other in ({"spool": tmp_path / "other"}, {"spool": "spool", "spool_bytes": 1 << 20}):
            with pytest.raises(ConfigurationError, match="spool"):
                configure(stream=stream, **other)


def test_what_cannot_be_shown_is_shown_as_it_is() -> None:
    """No JSON, no object, or a look that fails: the line is there."""

    def failing(event: Any) -> bytes:
        raise KeyError("event")

    for look in (failing, console(colour=False)):
        first = MemorySink()
        for line in (b"no json", b"[]", b'{"level": 1}'):
            Tee(first, MemorySink(), Metrics(), look).write([line])
        assert list(first.lines)[:2] == [b"no json", b"[]"]
        assert len(first.lines) == 3
