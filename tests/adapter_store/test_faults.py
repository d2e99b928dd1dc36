"""The store of files under faults: old or new and never mixed, damaged is a miss, nobody waits without end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from postrmagic_core.errors import BackendError, BackendRejected, BackendTimeout, OutcomeUnknown
from postrmagic_core.stores import Script, View
from postrmagic_core.stores.scripts import NOW
from postrmagic_core.testing import Child, FakeClock, spawn
from postrmagic_core.testing.contracts.store_scripts import APPEND, CANARY
from postrmagic_core.testing.servers import require
from postrmagic_files import FileStore
from postrmagic_files.records import pack_time
from tests.crowd import crowd

pytestmark = pytest.mark.fault

ROOT = Path(__file__).parents[2]
PATHS = [str(ROOT / part) for part in ("", "examples", "examples/adapter_store/src")]
IMPORTABLE = {"PYTHONPATH": os.pathsep.join(PATHS)}
# Seconds that a busy machine may add to a promised time.
SLACK = 2.0


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    """A store in the test's own directory."""
    return FileStore(tmp_path / "kv", timeout=5.0)


def files(store: FileStore) -> set[str]:
    """The files of values, and what a crash may have left."""
    return {path.name for path in store._directory.iterdir()} - {"lock"}


# C9: damaged files


def damages(whole: bytes) -> Iterator[bytes]:
    """Cut at every length, every bit changed, something behind the end."""
    yield from (whole[:end] for end in range(len(whole)))
    for at in range(len(whole) * 8):
        byte = whole[at // 8] ^ (1 << at % 8)
        yield whole[: at // 8] + bytes([byte]) + whole[at // 8 + 1 :]
    yield whole + b"\x00"
    yield CANARY % b"/nonexistent"


def test_a_damaged_file_is_a_miss_and_is_removed(store: FileStore) -> None:
    """Cut or changed at any place: no error, nothing half; its key can be written again, and no other is touched."""
    store.set({b"k": b"value", b"other": b"1"}, 600_000)
    path = store._path(b"k")
    whole, both = path.read_bytes(), files(store)
    for damaged in damages(whole):
        path.write_bytes(damaged)
        assert store.get([b"k", b"other"]) == [None, b"1"], damaged
        assert files(store) == both - {path.name}, damaged
    path.write_bytes(whole)
    assert store.get([b"k"]) == [b"value"]


def test_a_damaged_journal_does_nothing(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut or changed at any place: what it meant to do did not happen, all of it."""
    store.set({b"a": b"old", b"b": b"old"}, None)
    with monkeypatch.context() as patched:
        patched.setattr(FileStore, "_finish", interrupted_after_the_first_call())
        with pytest.raises(KeyboardInterrupt):
            store.set({b"a": b"new", b"b": b"new"}, None)
    journal = store._journal
    whole = journal.read_bytes()
    for damaged in damages(whole):
        journal.write_bytes(damaged)
        assert store.get([b"a", b"b"]) == [b"old", b"old"], damaged
        assert not journal.exists()
    journal.write_bytes(whole)
    assert store.get([b"a", b"b"]) == [b"new", b"new"]


def interrupted_after_the_first_call() -> Callable[[FileStore], None]:
    """``_finish`` that finds nothing to do, and is interrupted where its own journal has been written."""
    calls: list[int] = []

    def finish(store: FileStore) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt

    return finish


def test_another_keys_file_in_its_place_is_a_miss(store: FileStore) -> None:
    """Copied, or renamed by hand: a value belongs to the key that it was written under."""
    store.set({b"a": b"1", b"b": b"2"}, None)
    shutil.copy(store._path(b"a"), store._path(b"b"))
    assert store.get([b"a", b"b"]) == [b"1", None]


# C10: killed, or failing, at every system call

CALLS = ("openat", "read", "write", "close", "rename", "unlink")
# The call of each kind at which strace acts: so many have gone before, most of them made for that.
NTH = 40
# No operation makes so many of one kind.
MOST = 10
OLD, NEW = b"old" * 100, b"new" * 200


def _both(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> int:
    for key in keys:
        if view.get(key) != args[0]:
            return 0
        view.put(key, args[1], None)
    return 1


BOTH = Script("both", _both, "")


def _failing(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> int:
    for key in keys:
        view.put(key, b"half", None)
    return 1 // 0


FAILING = Script("failing", _failing, "")

OPERATIONS: dict[str, Callable[[FileStore], object]] = {
    "set": lambda store: store.set({b"a": NEW}, None),
    "run": lambda store: store.run(BOTH, [b"a", b"b"], [OLD, NEW]),
    "delete": lambda store: store.delete([b"a", b"b"]),
}
AFTER: dict[str, list[bytes | None]] = {"set": [NEW, OLD], "run": [NEW, NEW], "delete": [None, None]}
BEFORE: list[bytes | None] = [OLD, OLD]

# How a child ended, told by its exit status.
DONE, REFUSED, UNKNOWN = 0, 10, 11


def victims(directory: str) -> None:
    """Forks a child for each line ``operation call number``: it does the operation, after so many idle calls."""
    descriptor = os.open(Path(directory) / "pad", os.O_RDWR)
    for line in sys.stdin:
        operation, call, idle = line.split()
        child = os.fork()
        if child == 0:
            os._exit(_suffer(Path(directory), descriptor, operation, call, int(idle)))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201 - the parent reads it


def _suffer(directory: Path, descriptor: int, operation: str, call: str, idle: int) -> int:
    pad, missing = directory / "pad", directory / "missing"
    idly: dict[str, Callable[[], object]] = {
        "openat": lambda: os.open(pad, os.O_RDONLY),
        "read": lambda: os.read(descriptor, 0),
        "write": lambda: os.write(descriptor, b""),
        "close": lambda: os.close(os.dup(descriptor)),
        "rename": lambda: pad.rename(pad),
        "unlink": lambda: missing.unlink(missing_ok=True),
    }
    for _ in range(idle):
        idly[call]()
    try:
        OPERATIONS[operation](FileStore(directory / "kv", timeout=5.0))
    except OutcomeUnknown:
        return UNKNOWN
    except BackendError:
        return REFUSED
    return DONE


@contextmanager
def tormented(store: FileStore, fault: str) -> Iterator[Callable[[str, str, int], int]]:
    """Runs an operation in a process whose ``nth`` call of a kind meets ``fault``; answers how the process ended."""
    strace = require(shutil.which("strace"), "strace makes system calls fail")
    allowed = subprocess.run([strace, "-qq", "-o", os.devnull, "true"], capture_output=True, check=False)
    require(allowed.returncode == 0, "strace may not trace here")
    directory = store._directory.parent
    (directory / "pad").touch()
    watched = ["pad", "missing", "kv/new", "kv/journal", *(f"kv/{store._path(key).name}" for key in (b"a", b"b"))]
    calls = ",".join(CALLS)
    command = [strace, "-f", "-qq", "-o", str(directory / "trace"), "-e", f"trace={calls}"]
    command += [word for name in watched for word in ("-P", str(directory / name))]
    command += ["-e", f"inject={calls}:{fault}:when={NTH}", sys.executable, "-c"]
    program = (
        "from postrmagic_core.testing.faults import apply_from_environment; apply_from_environment();"
        f"from tests.adapter_store.test_faults import victims; victims({str(directory)!r})"
    )
    environment = {**os.environ, **IMPORTABLE}
    with subprocess.Popen(
        [*command, program], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as tracer:
        assert tracer.stdin is not None
        assert tracer.stdout is not None

        def suffer(operation: str, call: str, nth: int) -> int:
            print(operation, call, NTH - nth, file=tracer.stdin, flush=True)
            return int(tracer.stdout.readline())  # type: ignore[union-attr]  # a pipe, as asserted

        yield suffer
        tracer.stdin.close()
    bitten = (directory / "trace").read_text()
    assert bitten.count("INJECTED") + bitten.count("killed by SIGKILL") > 15, bitten[-2000:]


def sweep(
    store: FileStore, suffer: Callable[[str, str, int], int], calls: Sequence[str] = CALLS
) -> Iterator[tuple[str, str, int]]:
    """Each operation with the fault at each of its ``calls``: operation, ``call nth``, how its process ended."""
    for operation in OPERATIONS:
        for call in calls:
            for nth in range(1, MOST + 1):
                store.set({b"a": OLD, b"b": OLD}, None)
                yield operation, f"{call} {nth}", suffer(operation, call, nth)


def test_killed_at_any_call_it_is_old_or_new_and_never_mixed(store: FileStore) -> None:
    """The next operation finds all of it or nothing, and leaves nothing lying about."""
    seen: dict[str, set[bool]] = {operation: set() for operation in OPERATIONS}
    with tormented(store, "signal=SIGKILL") as suffer:
        for operation, where, ended in sweep(store, suffer):
            assert ended in ({DONE} if where.endswith(f" {MOST}") else {DONE, -signal.SIGKILL}), (operation, where)
            found = store.get([b"a", b"b"])
            assert found in (BEFORE, AFTER[operation]), (operation, where)
            if ended == DONE:
                assert found == AFTER[operation], (operation, where)
            else:
                seen[operation].add(found == BEFORE)
            store.set({b"a": OLD}, None)
            assert files(store) <= {store._path(b"a").name, store._path(b"b").name}, (operation, where)
    assert seen == {"set": {True}, "run": {True, False}, "delete": {True, False}}


@pytest.mark.parametrize(("error", "calls"), [("EIO", CALLS), ("ENOSPC", ("openat", "write", "rename"))])
def test_an_error_at_any_call_is_told_truly(store: FileStore, error: str, calls: Sequence[str]) -> None:
    """Done is done, refused is as it was, unknown is one of both; and the store goes on working."""
    endings: set[int] = set()
    with tormented(store, f"error={error}") as suffer:
        for operation, where, ended in sweep(store, suffer, calls):
            assert ended in {DONE, REFUSED, UNKNOWN}, (operation, where)
            may_be = {DONE: [AFTER[operation]], REFUSED: [BEFORE], UNKNOWN: [BEFORE, AFTER[operation]]}
            assert store.get([b"a", b"b"]) in may_be[ended], (operation, where, ended)
            endings.add(ended)
            store.set({b"a": OLD}, None)
            assert files(store) <= {store._path(b"a").name, store._path(b"b").name}, (operation, where)
    assert REFUSED in endings
    assert (UNKNOWN in endings) == (error == "EIO")


# C13: the clock is set, an hour back or forth

JUMPS = pytest.mark.parametrize("jump", [-3600.0, 3600.0], ids=["back", "forth"])


@JUMPS
def test_a_clock_that_is_set_prolongs_nothing_and_ends_nothing(tmp_path: Path, jump: float) -> None:
    """Stored before the jump, and stored after it."""
    clock = FakeClock()
    store = FileStore(tmp_path / "kv", timeout=5.0, clock=clock)
    store.set({b"long": b"v"}, 600_000)
    store.set({b"short": b"v"}, 500)
    clock.jump(jump)
    store.set({b"after": b"v"}, 500)
    assert store.get([b"long", b"short", b"after"]) == [b"v", b"v", b"v"]
    clock.advance(0.6)
    assert store.get([b"long", b"short", b"after"]) == [b"v", None, None]


def write(directory: str, ahead: float) -> None:
    """A process that begins when the machine's clock is so many seconds ahead, and stores something for a minute."""
    real = time.time_ns
    time.time_ns = lambda: real() + int(ahead * 1e9)  # the machine's clock, as it sees it
    store = FileStore(Path(directory), timeout=5.0)
    store.set({b"theirs": b"v"}, 60_000)
    [value] = store.get([b"ours"])
    [now] = store.run(NOW, [], [])
    print(value is not None, now, flush=True)  # noqa: T201 - the parent reads it


@JUMPS
def test_a_process_that_begins_after_the_jump_agrees(store: FileStore, jump: float) -> None:
    """Both read what the other stored, and tell the same time."""
    store.set({b"ours": b"v"}, 60_000)
    with spawn(write, str(store._directory), jump, env=IMPORTABLE) as child:
        found, now = child.line().split()
    assert found == "True"
    assert abs(store.run(NOW, [], [])[0] - int(now)) < 60_000_000
    assert store.get([b"theirs", b"ours"]) == [b"v", b"v"]


def test_time_goes_on_whatever_the_lock_says(store: FileStore) -> None:
    """Of an earlier start of the machine, damaged, or nothing: the time is noted anew."""
    store.set({b"k": b"v"}, 60_000)
    whole = store._lock_file.read_bytes()
    for data in (b"", whole[:-1], b"\x00" + whole[1:], pack_time("an earlier start", 0)):
        store._lock_file.write_bytes(data)
        assert store.get([b"k"]) == [b"v"], data
        assert store._lock_file.read_bytes() == whole


# The reliability promises, as far as there is no server to break: bounded, typed, healing, leaking nothing


def hold(directory: str) -> None:
    """A process that has the lock."""
    with FileStore(Path(directory)).locked([b"k"]):
        print("held", flush=True)  # noqa: T201 - the parent reads it
        time.sleep(600)


@contextmanager
def holder(directory: Path) -> Iterator[Child]:
    """Another process, once it has the lock."""
    with spawn(hold, str(directory), env=IMPORTABLE) as child:
        assert child.line() == "held"
        yield child


def test_a_stopped_process_with_the_lock_holds_nobody_up_for_ever(tmp_path: Path) -> None:
    """P1, P2, P7, P9: the wait ends at its time-out, whatever the wall clock says; after a kill it is over at once."""
    store = FileStore(tmp_path / "kv", timeout=0.25, clock=FakeClock())
    with holder(tmp_path / "kv") as child:
        child.pause()
        for call in (lambda: store.get([b"k"]), lambda: store.set({b"k": b"v"}, None)):
            began = time.monotonic()
            with pytest.raises(BackendTimeout, match="another process"):
                call()
            assert 0.25 <= time.monotonic() - began < 0.25 + SLACK
        child.kill()
        store.set({b"k": b"v"}, None)
        assert store.get([b"k"]) == [b"v"]


def test_errors_are_ours_and_tell_no_path(tmp_path: Path) -> None:
    """P2: the operating system's is the cause, its text is not shown."""
    (tmp_path / "secret").touch()
    with pytest.raises(BackendRejected) as caught:
        FileStore(tmp_path / "secret").get([b"k"])
    assert isinstance(caught.value.__cause__, OSError)
    assert "secret" not in str(caught.value)


def open_below(directory: Path) -> list[str]:
    """The files in ``directory`` that this process has open; others open and close theirs meanwhile."""
    found: list[str] = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(descriptor))  # noqa: PTH115 - of sockets and pipes, too, which are no paths
    return sorted(name for name in found if name.startswith(str(directory)))


def test_nothing_leaks(store: FileStore, tmp_path: Path) -> None:
    """P8: after a hundred failures and successes no file is open, and none is there that was not asked for."""
    store.set({b"k": b"v"}, None)
    before = open_below(tmp_path)
    impatient = FileStore(tmp_path / "kv", timeout=0.001)
    for turn in range(50):
        with store.locked([]), pytest.raises(BackendTimeout):
            impatient.get([b"k"])
        with pytest.raises(ZeroDivisionError):
            store.run(FAILING, [b"k", b"%d" % turn], [])
    assert open_below(tmp_path) == before
    assert files(store) == {store._path(b"k").name}
    assert store.get([b"k"]) == [b"v"]


def test_a_directory_that_is_removed_makes_itself_again(store: FileStore) -> None:
    """P7: an empty store, and no error."""
    store.set({b"k": b"v"}, None)
    shutil.rmtree(store._directory)
    assert store.get([b"k"]) == [None]
    store.set({b"k": b"v"}, None)
    assert store.get([b"k"]) == [b"v"]


def append(directory: str, who: str, times: int) -> None:
    """A process that adds lines to one value."""
    store = FileStore(Path(directory), timeout=30.0)
    for turn in range(times):
        store.run(APPEND, [b"log"], [f"{who}-{turn}".encode()])
        store.set({b"large": bytes([turn]) * 50_000}, None)
        [large] = store.get([b"large"])
        assert large is not None
        assert large == large[:1] * 50_000
    print("done", flush=True)  # noqa: T201 - the parent reads it


def test_processes_lose_nothing_of_each_other_and_read_whole_values(store: FileStore) -> None:
    """P3: four of them, fifty lines each: two hundred lines."""
    with crowd(append, *[(str(store._directory), str(number), 50) for number in range(4)], env=IMPORTABLE) as children:
        assert [child.line() for child in children] == ["done"] * 4
    [log] = store.get([b"log"])
    assert log is not None
    assert len(set(log.split())) == 200
