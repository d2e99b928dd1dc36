"""The spool: what is written arrives at every reader whole and in order, or is told as lost to the byte."""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.log import spool as spools
from postrmagic_core.log.spool import Batch, Spool, SpoolReader, pieces
from postrmagic_core.testing.contracts.log_sink import LogSinkContract
from postrmagic_core.testing.contracts.log_sink_rig import Outlet, ended, forked
from postrmagic_core.testing.waiting import until
from tests.log.outlets import filled

KIB = 1024


def lines(count: int, size: int = 100, who: str = "a") -> list[bytes]:
    """JSON lines that say their number."""
    return [b'{"who":"%s","n":%d,"fill":"%s"}' % (who.encode(), number, b"." * size) for number in range(count)]


def everything(reader: SpoolReader, limit: int = 1 << 20) -> Batch:
    """Read until nothing comes."""
    found: list[bytes] = []
    lost = 0
    while True:
        batch = reader.read(limit)
        lost += batch.lost
        if not batch.lines:
            return Batch(found, batch.position, lost)
        found += batch.lines


def files(directory: Path) -> list[Path]:
    """The pieces, oldest first."""
    return [directory / piece.name for piece in pieces(directory)]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[], Spool]]:
    """Makes spools of 64 KiB in pieces of 8 KiB, on one directory."""
    made: list[Spool] = []

    def make() -> Spool:
        made.append(Spool(tmp_path / "spool", 64 * KIB))
        return made[-1]

    yield make
    for spool in made:
        spool.close()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[SpoolReader]:
    """From the begin of that directory."""
    with closing(SpoolReader(tmp_path / "spool")) as reader:
        yield reader


class TestSpool(LogSinkContract):
    """It is a log sink, read back from all of its pieces."""

    @pytest.fixture
    def outlet(self, tmp_path: Path) -> Outlet:
        """A spool whose newest piece can be kept from growing."""
        directory = tmp_path / "spool"

        def read() -> list[bytes]:
            data = b"".join(path.read_bytes() for path in files(directory))
            assert data.endswith(b"\n") or not data
            return [line for line in data.split(b"\n") if line.strip()]

        return Outlet(lambda: Spool(directory), read, lambda: filled([directory / "none", *files(directory)][-1]))


def test_a_reader_follows_over_pieces(small: Callable[[], Spool], reader: SpoolReader) -> None:
    """What is written between reads comes with the next, in order, though the piece has turned meanwhile."""
    spool, found = small(), []
    written = lines(300)
    for at in range(0, 300, 20):
        spool.write(written[at : at + 20])
        found += everything(reader, 3000).lines
    assert found == written
    assert reader.behind() == 0


def test_a_reader_may_begin_before_the_spool(small: Callable[[], Spool], reader: SpoolReader, tmp_path: Path) -> None:
    """It finds nothing, makes nothing, and then finds the first line."""
    assert reader.read() == Batch([], "", 0)
    assert not (tmp_path / "spool").exists()
    small().write(lines(2))
    assert reader.read().lines == lines(2)


def test_a_position_is_where_the_next_one_begins(small: Callable[[], Spool], tmp_path: Path) -> None:
    """At every place, also at the end of a piece and of all: nothing twice, nothing missing."""
    small().write(written := lines(150))
    small().write(lines(1))
    found: list[bytes] = []
    position = None
    while True:
        with closing(SpoolReader(tmp_path / "spool", position)) as reader:
            batch = reader.read(1500)
        if not batch.lines:
            break
        found, position = found + batch.lines, batch.position
    assert found == written + lines(1)
    assert reader.behind() == 0


def test_a_position_that_says_nothing_means_the_begin(small: Callable[[], Spool], tmp_path: Path) -> None:
    """A file of it that was cut off costs lines that come twice, never one that comes not."""
    small().write(lines(3))
    for position in ("", "?", "1f:", "zz:1"):
        with closing(SpoolReader(tmp_path / "spool", position)) as reader:
            assert reader.read().lines == lines(3), position


def test_half_a_line_is_not_given(small: Callable[[], Spool], reader: SpoolReader, tmp_path: Path) -> None:
    """It comes once it is whole; of one that a killed process left, in a piece that is full, nothing comes."""
    small().write(lines(1))
    with files(tmp_path / "spool")[-1].open("ab") as file:
        file.write(b'{"half":')
        file.flush()
        assert reader.read().lines == lines(1)
        assert reader.read().lines == []
        file.write(b"1}\n" + b'{"half":')
    assert reader.read().lines == [b'{"half":1}']
    small().write(after := lines(200))
    assert [line for line in everything(reader).lines if line in after] == after


def test_the_half_of_a_killed_process_is_left_out(
    small: Callable[[], Spool], reader: SpoolReader, tmp_path: Path
) -> None:
    """And what was written over it, too: the next line follows on its own."""
    small().write(lines(1))
    with files(tmp_path / "spool")[-1].open("ab") as file:
        file.write(b'{"torn":"by a kill')
    small().write(after := lines(5, who="b"))
    assert everything(reader).lines == [*lines(1), *after]


def test_a_line_longer_than_asked_comes_whole(small: Callable[[], Spool], reader: SpoolReader) -> None:
    """Reading in pieces of a kilobyte does not halve one of three megabytes, nor stop at it."""
    written = [*lines(1), *lines(1, 3_000_000), *lines(2, who="b")]
    small().write(written)
    assert everything(reader, KIB).lines == written


def test_what_was_removed_unread_is_told_to_the_byte(
    small: Callable[[], Spool], reader: SpoolReader, tmp_path: Path
) -> None:
    """The oldest pieces go; what is left and what is lost are all that was written."""
    spool = small()
    spool.write(lines(10))
    assert reader.read().lines == lines(10)
    written = lines(2000, who="b")
    for at in range(0, 2000, 50):
        spool.write(written[at : at + 50])
    assert sum(path.stat().st_size for path in files(tmp_path / "spool")) <= 64 * KIB + 50 * 150
    batch = everything(reader)
    assert batch.lines[-1] == written[-1]
    assert [line for line in written if line in set(batch.lines)] == batch.lines
    assert batch.lost == sum(len(line) + 1 for line in set(written) - set(batch.lines)) > 0
    assert everything(reader).lost == 0


def test_a_reader_that_was_away_is_told_what_it_missed(small: Callable[[], Spool], tmp_path: Path) -> None:
    """From the position that it kept, as the difference of two numbers."""
    spool, written = small(), lines(3000)
    spool.write(written[:10])
    with closing(SpoolReader(tmp_path / "spool")) as reader:
        position = reader.read().position
    for at in range(10, 3000, 50):
        spool.write(written[at : at + 50])
    with closing(SpoolReader(tmp_path / "spool", position)) as reader:
        behind = reader.behind()
        batch = everything(reader)
    assert behind == sum(len(line) + 1 for line in batch.lines)
    assert batch.lost == sum(len(line) + 1 for line in written[10 : -len(batch.lines)]) > 0


def test_a_truncated_piece_begins_anew(small: Callable[[], Spool], reader: SpoolReader, tmp_path: Path) -> None:
    """Whether it has grown beyond the old place before the reader looks or not, no half line is given."""
    spool = small()
    spool.write(lines(20))
    everything(reader)
    os.truncate(files(tmp_path / "spool")[-1], 0)
    spool.write(lines(2, who="b"))
    assert everything(reader).lines == lines(2, who="b")
    os.truncate(files(tmp_path / "spool")[-1], 0)
    spool.write(written := lines(10, 301, who="c"))
    batch = everything(reader)
    assert batch.lines == written[-len(batch.lines) :]
    assert len(batch.lines) >= 8


def test_a_removed_directory_is_made_anew(small: Callable[[], Spool], reader: SpoolReader, tmp_path: Path) -> None:
    """By the next line; a reader goes over to it, and who keeps a position too."""
    spool = small()
    spool.write(lines(30))
    position = everything(reader).position
    for path in (tmp_path / "spool").iterdir():
        path.unlink()
    (tmp_path / "spool").rmdir()
    assert reader.read() == Batch([], position, 0)
    spool.write(lines(3, who="b"))
    assert everything(reader).lines == lines(3, who="b")
    with closing(SpoolReader(tmp_path / "spool", position)) as another:
        assert another.read() == Batch(lines(3, who="b"), reader.position, 0)


def test_nothing_new_costs_one_look_at_one_file(
    small: Callable[[], Spool], reader: SpoolReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No directory is listed and nothing is read while no line comes."""
    small().write(lines(3))
    reader.read()

    def refused(*arguments: object) -> None:
        raise AssertionError("it looked further")

    monkeypatch.setattr(spools, "pieces", refused)
    monkeypatch.setattr(os, "pread", refused)
    assert reader.read().lines == []


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_processes_and_readers_at_once(tmp_path: Path) -> None:
    """Four write while pieces turn, two read while they do: each line once, in the order of its process."""
    directory = tmp_path / "spool"

    def write(number: int) -> None:
        with closing(Spool(directory, 1024 * KIB)) as spool:
            mine = lines(500, who=f"p{number}")
            for at in range(0, 500, 10):
                spool.write(mine[at : at + 10])

    children = [forked(lambda number=number: write(number)) for number in range(4)]  # type: ignore[misc]  # the loop's value
    found: list[list[bytes]] = [[], []]
    with closing(SpoolReader(directory)) as one, closing(SpoolReader(directory)) as other:
        while min(map(len, found)) < 2000:
            for number, reader in enumerate((one, other)):
                batch = reader.read(10 * KIB)
                found[number] += batch.lines
                assert batch.lost == 0
    ended(*children)
    assert len(files(directory)) > 1
    for all_of_it in found:
        for number in range(4):
            mine = lines(500, who=f"p{number}")
            assert [line for line in all_of_it if b'"p%d"' % number in line] == mine


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_killed_writers_lose_nothing_that_was_written(tmp_path: Path) -> None:
    """Whatever kill -9 met them at, turning a piece included: each line that write() took is read, whole."""
    directory = tmp_path / "spool"
    taken = mmap.mmap(-1, 4 * 8)  # shared with children; a file of it could be torn itself

    def a_line(life: int, number: int) -> bytes:
        return b'{"life":%d,"n":%d,"fill":"%s"}' % (life, number, b"." * 3000)

    def count(life: int) -> int:
        return int.from_bytes(taken[8 * life : 8 * life + 8], sys.byteorder)

    def write(life: int) -> None:
        with closing(Spool(directory, 8192 * KIB)) as spool:
            for number in range(1500):  # less than would push out what the reader has not seen
                spool.write([a_line(life, number)])
                taken[8 * life : 8 * life + 8] = (number + 1).to_bytes(8, sys.byteorder)
            signal.pause()

    found: list[bytes] = []
    with closing(SpoolReader(directory)) as reader:
        for life in range(4):
            child = forked(lambda life=life: write(life))  # type: ignore[misc]  # the loop's value
            until(lambda life=life: count(life) > 200)  # type: ignore[misc]  # the loop's value
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            batch = everything(reader)
            found += batch.lines
            assert batch.lost == 0
    whole = {line for line in found if _is_json(line)}
    for life in range(4):
        missing = [number for number in range(count(life)) if a_line(life, number) not in whole]
        assert missing == [], life
    assert len(found) - len(whole) <= 4 * 2


def _is_json(line: bytes) -> bool:
    try:
        return bool(json.loads(line))
    except ValueError:
        return False


def test_a_lock_that_nobody_gives_back_is_a_refusal(small: Callable[[], Spool], tmp_path: Path) -> None:
    """Of a process that was stopped while it turned the piece: in a tenth of a second, and only while it lasts."""
    spool = small()
    spool.write(lines(1))
    with (tmp_path / "spool" / ".lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="unavailable"):
            spool.write(lines(1))
    assert spool.write(lines(1)) == 1


def test_nobody_turns_while_somebody_writes(
    small: Callable[[], Spool], reader: SpoolReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that came into a piece after it was sealed would never be read."""
    slow, other = small(), small()
    slow.write(lines(1))
    other.write(lines(1))
    append = slow._appender.append

    def interrupted(mine: Sequence[bytes]) -> int:
        other.write(lines(80, who="b"))
        with suppress(BlockingIOError):
            other.write(lines(1, who="b"))
        found.extend(everything(reader).lines)
        return append(mine)

    found: list[bytes] = []
    monkeypatch.setattr(slow._appender, "append", interrupted)
    slow.write(late := lines(2, who="late"))
    found += everything(reader).lines
    assert [line for line in found if b"late" in line] == late


def test_a_turn_that_was_cut_off_is_finished(small: Callable[[], Spool], reader: SpoolReader, tmp_path: Path) -> None:
    """A process that died between sealing a piece and making the next leaves that to whoever comes."""
    small().write(lines(3))
    files(tmp_path / "spool")[-1].chmod(0o440)
    assert everything(reader).lines == lines(3)
    assert reader.read().lines == []
    small().write(lines(2, who="b"))
    assert len(files(tmp_path / "spool")) == 2
    assert everything(reader).lines == lines(2, who="b")


def test_an_idle_process_keeps_no_removed_piece(small: Callable[[], Spool], tmp_path: Path) -> None:
    """Its room would not be free, though no file is seen."""
    idle, busy = small(), small()
    idle.write(lines(1))
    for _ in range(20):
        busy.write(lines(50))
    idle.idle()
    assert not [path for path in _open_files() if path.startswith(str(tmp_path)) and path.endswith("(deleted)")]


def _open_files() -> Iterator[str]:
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            yield str(path.readlink())


def test_it_takes_no_more_than_it_may(tmp_path: Path) -> None:
    """At no moment, but for a batch of each process."""
    batch = lines(20)
    with closing(Spool(tmp_path, 64 * KIB)) as spool:
        for _ in range(200):
            spool.write(batch)
            assert sum(path.stat().st_size for path in files(tmp_path)) <= 64 * KIB + 20 * 150


def test_a_spool_without_room_is_refused(tmp_path: Path) -> None:
    """At once: with pieces of a few bytes it would hold nothing."""
    with pytest.raises(ConfigurationError, match="at least 65536 bytes"):
        Spool(tmp_path, 1000)


def test_nobody_else_may_read_it(small: Callable[[], Spool], tmp_path: Path) -> None:
    """Neither the directory nor what is in it."""
    small().write(lines(1))
    for path in (tmp_path / "spool", *(tmp_path / "spool").iterdir()):
        assert path.stat().st_mode & 0o007 == 0
