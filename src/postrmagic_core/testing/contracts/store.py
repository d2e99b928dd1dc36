"""What a Store is, as tests: subclass :class:`StoreContract`, say how to open your store, and run it.

::

    class TestMyStore(StoreContract):
        @pytest.fixture
        def open_store(self, tmp_path):
            return lambda: MyStore(tmp_path)
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from postrmagic_core._bridge import Bridge
from postrmagic_core.stores import AsyncStoreFace, Store, SupportsScan
from postrmagic_core.stores.scripts import GCRA
from postrmagic_core.testing.contracts.on_store import OnStore, persist
from postrmagic_core.testing.contracts.store_scripts import APPEND, CANARY, ECHO, HOSTILE_KEYS, PROBE, STRAY, WRITE

SECOND = 1_000_000
YEAR = 366 * 86_400 * SECOND


class StoreContract(OnStore):
    """Every promise of :class:`~postrmagic_core.stores.interface.Store`, on both faces.

    A subclass supplies the fixture ``open_store``. A store without ``clear`` skips its tests, with the reason.
    """

    # get, set, delete, touch

    def test_what_was_set_is_read_in_the_order_asked(self, store: Store) -> None:
        """Missing keys are None in their places; a key asked twice is answered twice."""
        store.set({b"a": b"1", b"b": b"2"}, None)
        assert store.get([b"b", b"missing", b"a", b"b"]) == [b"2", None, b"1", b"2"]

    def test_nothing_asked_is_nothing_answered(self, store: Store) -> None:
        """Empty requests are answered without an error."""
        store.set({}, None)
        assert (store.get([]), store.delete([]), store.touch([], 1000)) == ([], 0, 0)

    def test_a_later_set_replaces_value_and_time(self, store: Store) -> None:
        """The second value counts, and with it its time to live."""
        store.set({b"k": b"1"}, 1000)
        store.set({b"k": b"2"}, None)
        assert store.get([b"k"]) == [b"2"]
        assert self.at(store, YEAR, b"k") == b"2"

    def test_delete_counts_what_was_there(self, store: Store) -> None:
        """Each key counts once, however often it is named."""
        store.set({b"a": b"1", b"b": b"2", b"c": b"3"}, None)
        assert store.delete([b"a", b"b", b"a", b"missing"]) == 2
        assert store.get([b"a", b"b", b"c"]) == [None, None, b"3"]

    @pytest.mark.parametrize(
        "value", [b"", b"\x00", b"\r\n$-1\r\n", bytes(range(256)), b"\xff" * 1_000_000, bytes(range(256)) * 4096]
    )
    def test_values_are_byte_exact(self, store: Store, value: bytes) -> None:
        """Whatever the bytes, up to a megabyte, they come back."""
        store.set({b"k": value, b"other": b"x"}, 60_000)
        assert store.get([b"k"]) == [value]
        assert store.run(PROBE, [b"k"], [])[1] == value

    def test_a_pickle_stays_bytes(self, store: Store, tmp_path: Path) -> None:
        """A value that would run a command if it were unpickled runs none."""
        proof = tmp_path / "ran"
        canary = CANARY % os.fsencode(proof)
        store.set({b"k": canary}, None)
        assert store.get([b"k"]) == [canary]
        assert store.run(PROBE, [b"k"], [])[1] == canary
        assert not proof.exists()

    def test_hostile_keys_are_only_bytes(self, store: Store) -> None:
        """Case, spaces, zero bytes, quotes and globs make different keys and have no other meaning."""
        items = {key: b"%d" % number for number, key in enumerate(HOSTILE_KEYS)}
        store.set(items, 60_000)
        assert store.get(HOSTILE_KEYS) == list(items.values())
        assert store.run(PROBE, HOSTILE_KEYS, [])[1:] == list(items.values())
        assert store.delete([b"a", b"*"]) == 2
        assert [key for key, value in zip(HOSTILE_KEYS, store.get(HOSTILE_KEYS), strict=True) if value is None] == [
            b"a",
            b"*",
        ]

    @pytest.mark.parametrize("key", [b"", b"k" * 256])
    def test_a_key_out_of_bounds_is_refused(self, store: Store, key: bytes) -> None:
        """Every operation says what a key may be, before it does anything."""
        calls: list[Callable[[], object]] = [
            lambda: store.get([b"a", key]),
            lambda: store.set({b"a": b"1", key: b"1"}, None),
            lambda: store.delete([key]),
            lambda: store.touch([key], 1000),
            lambda: store.run(PROBE, [key], []),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="1 to 255 bytes"):
                call()
        assert store.get([b"a"]) == [None]

    def test_text_is_refused_as_key_and_as_value(self, store: Store) -> None:
        """Bytes are not guessed from text."""
        with pytest.raises(TypeError, match="bytes"):
            store.get(["k"])  # type: ignore[list-item]  # what an untyped caller may pass
        with pytest.raises(TypeError, match="bytes"):
            store.set({b"k": "v"}, None)  # type: ignore[dict-item]  # what an untyped caller may pass

    @pytest.mark.parametrize("ttl_ms", [0, -1, 2**62])
    def test_a_time_to_live_out_of_bounds_is_refused(self, store: Store, ttl_ms: int) -> None:
        """Zero does not mean for ever, nor delete: it is an error."""
        with pytest.raises(ValueError, match="ttl_ms"):
            store.set({b"k": b"v"}, ttl_ms)
        with pytest.raises(ValueError, match="ttl_ms"):
            store.touch([b"k"], ttl_ms)

    @pytest.mark.parametrize("ttl_ms", [True, 1.5, "1000"])
    def test_a_time_to_live_is_a_whole_number(self, store: Store, ttl_ms: object) -> None:
        """A float may be seconds by mistake."""
        with pytest.raises(TypeError, match="ttl_ms"):
            store.set({b"k": b"v"}, ttl_ms)  # type: ignore[arg-type]  # what an untyped caller may pass

    # time to live

    def at(self, store: Store, after_us: int, key: bytes) -> object:
        """The value of ``key`` as a Script sees it ``after_us`` microseconds from the store's present time."""
        now = store.run(PROBE, [key], [])[0]
        assert isinstance(now, int)
        return store.run(PROBE, [key], [], now_us=now + after_us)[1]

    def test_a_value_lives_as_long_as_told(self, store: Store) -> None:
        """It is there shortly before its end, and gone shortly after."""
        store.set({b"k": b"v"}, 60_000)
        assert self.at(store, 50 * SECOND, b"k") == b"v"
        assert self.at(store, 61 * SECOND, b"k") is None

    def test_an_ended_value_is_gone_for_every_operation(self, store: Store) -> None:
        """Read, counted, touched or deleted: it is not there."""
        store.set({b"a": b"1", b"b": b"2"}, 20)
        deadline = time.monotonic() + 10
        while store.get([b"a", b"b"]) != [None, None]:
            assert time.monotonic() < deadline, "a value of 20 ms is still there after 10 s"
        assert (store.touch([b"a"], 1000), store.delete([b"b"])) == (0, 0)
        assert store.run(PROBE, [b"a", b"b"], [])[1:] == [None, None]

    def test_none_keeps_a_value(self, store: Store) -> None:
        """Without an end it is there next year."""
        store.set({b"k": b"v"}, None)
        assert self.at(store, YEAR, b"k") == b"v"

    def test_touch_moves_the_end_both_ways(self, store: Store) -> None:
        """Longer, shorter, for ever and back; the count is of the keys that were there."""
        store.set({b"k": b"v", b"other": b"v"}, 60_000)
        assert store.touch([b"k", b"missing", b"k"], 600_000) == 1
        assert self.at(store, 500 * SECOND, b"k") == b"v"
        assert store.touch([b"k"], 30_000) == 1
        assert self.at(store, 40 * SECOND, b"k") is None
        assert store.touch([b"k"], None) == 1
        assert self.at(store, YEAR, b"k") == b"v"
        assert store.touch([b"k"], None) == 1
        assert store.touch([b"k"], 30_000) == 1
        assert self.at(store, 40 * SECOND, b"k") is None
        assert self.at(store, 50 * SECOND, b"other") == b"v"

    def test_injected_time_decides_to_the_millisecond(self, store: Store) -> None:
        """What a Script stores at an injected time ends exactly its time to live later."""
        real = store.run(PROBE, [], [])[0]
        assert isinstance(real, int)
        now = (real // 1000 + 3_600_000) * 1000
        assert store.run(WRITE, [b"k", b"gone"], [b"v", 1000], now_us=now) == [b"v", None]
        assert store.run(PROBE, [b"k"], [], now_us=now + 999_999) == [now + 999_999, b"v"]
        assert store.run(PROBE, [b"k"], [], now_us=now + 1_000_000) == [now + 1_000_000, None]

    # run

    def test_a_script_sees_its_own_writes(self, store: Store) -> None:
        """Put and drop are read back inside the Script, and are there after it."""
        store.set({b"old": b"1"}, None)
        assert store.run(WRITE, [b"new", b"old"], [b"2", b""]) == [b"2", None]
        assert store.get([b"new", b"old"]) == [b"2", None]
        assert self.at(store, YEAR, b"new") == b"2"

    def test_a_script_answers_with_its_types(self, store: Store) -> None:
        """Bytes, integers up to 2**53, None and lists survive the way back."""
        answer = store.run(ECHO, [], [b"\x00\xff", 7, b""])
        assert answer == [b"\x00\xff", b"7", b"", None, 2**53, -1]

    def test_an_undeclared_key_fails(self, store: Store) -> None:
        """Every adapter refuses it alike, also one whose server would not mind."""
        with pytest.raises(KeyError, match="declared"):
            store.run(STRAY, [b"declared"], [])
        assert store.get([b"undeclared"]) == [None]

    def test_a_script_that_changes_its_mind_writes(self, store: Store) -> None:
        """Reading first and writing later, or the other way, a Script is never answered from an old read."""
        for expected in range(1, 4):
            assert store.run(GCRA, [b"bucket"], [SECOND, 3], now_us=10 * YEAR * 6) == [1, expected * SECOND]
        denied = store.run(GCRA, [b"bucket"], [SECOND, 3], now_us=10 * YEAR * 6)
        assert denied == [0, 3 * SECOND]
        assert store.run(GCRA, [b"bucket"], [SECOND, 3], now_us=10 * YEAR * 6) == denied
        assert store.run(GCRA, [b"bucket"], [SECOND, 3], now_us=10 * YEAR * 6 + SECOND) == [1, 3 * SECOND]

    def test_the_stores_time_is_now(self, store: Store) -> None:
        """A Script's time is the wall time in microseconds, and never goes back."""
        first, second = store.run(PROBE, [], [])[0], store.run(PROBE, [], [])[0]
        assert isinstance(first, int)
        assert isinstance(second, int)
        assert first <= second
        assert abs(first - time.time_ns() // 1000) < 60 * SECOND

    def test_scripts_are_atomic_over_threads(self, store: Store) -> None:
        """Eight threads ask forty times for ten permits: ten are given."""
        barrier = threading.Barrier(8)

        def ask(_: int) -> int:
            barrier.wait(10)
            return sum(persist(store.run, GCRA, [b"bucket"], [3600 * SECOND, 10])[0] for _ in range(5))

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(ask, range(8))) == 10

    # clear

    @pytest.mark.parametrize("prefix", [b"a", b"a*", b"[a-b]", b"a\\", b"a?", b"\xff", b"a\x00", b"^a-", b"%"])
    def test_clear_deletes_its_prefix_and_nothing_else(
        self, store: Store, scanning: SupportsScan, prefix: bytes
    ) -> None:
        """The prefix is bytes, no pattern; another application's keys stay."""
        mine = [prefix, prefix + b"1", prefix + b"\xff\xff", prefix + b"*"]
        names = [b"b", b"b*", b"a", b"ab", b"abc", b"a-b", b"A1", b"\xfe", b"{other}:k:a", b"x" + prefix]
        others = [name for name in names if not name.startswith(prefix)]
        store.set(dict.fromkeys(mine + others, b"v"), 60_000)
        assert scanning.clear(prefix) == len(mine)
        assert store.get(mine + others) == [None] * len(mine) + [b"v"] * len(others)
        assert scanning.clear(prefix) == 0

    def test_clear_takes_many_keys(self, store: Store, scanning: SupportsScan) -> None:
        """More than one batch of them."""
        store.set({b"many:%d" % number: b"v" for number in range(2500)}, 60_000)
        store.set({b"one": b"v"}, 60_000)
        assert scanning.clear(b"many:") == 2500
        assert store.get([b"one", b"many:7"]) == [b"v", None]

    def test_clear_refuses_to_delete_everybodys_keys(self, store: Store, scanning: SupportsScan) -> None:
        """An empty prefix is an error, not the whole server."""
        store.set({b"k": b"v"}, None)
        with pytest.raises(ValueError, match="empty prefix"):
            scanning.clear(b"")
        assert store.get([b"k"]) == [b"v"]

    # the async face, forks

    def test_the_async_face_answers_the_same(self, store: Store, bridge: Bridge) -> None:
        """Each operation, awaited, gives what it gives when called."""
        store.set({b"a": b"1", b"b": b"2"}, None)

        async def main() -> list[object]:
            face = AsyncStoreFace(store, bridge)
            await face.set({b"c": b"3"}, 60_000)
            return [
                await face.get([b"a", b"c", b"missing"]),
                await face.touch([b"c", b"missing"], None),
                await face.run(WRITE, [b"d", b"b"], [b"4", b""]),
                await face.delete([b"a", b"b"]),
                (await face.run(PROBE, [b"c"], [], now_us=5 * SECOND)) == [5 * SECOND, b"3"],
            ]

        assert asyncio.run(main()) == [[b"1", b"3", None], 1, [b"4", None], 1, True]
        assert store.get([b"a", b"b", b"c", b"d"]) == [None, None, b"3", b"4"]

    def test_the_async_face_refuses_the_same(self, store: Store, bridge: Bridge) -> None:
        """The errors are those of the sync face."""

        async def main() -> None:
            face = AsyncStoreFace(store, bridge)
            with pytest.raises(KeyError):
                await face.run(STRAY, [b"declared"], [])
            with pytest.raises(ValueError, match="ttl_ms"):
                await face.set({b"k": b"v"}, 0)
            with pytest.raises(ValueError, match="1 to 255 bytes"):
                await face.get([b""])

        asyncio.run(main())

    def test_the_async_face_clears(self, store: Store, scanning: SupportsScan, bridge: Bridge) -> None:
        """By prefix, like the sync face."""
        store.set({b"a:1": b"v", b"a:2": b"v", b"b:1": b"v"}, None)

        async def main() -> int:
            return await AsyncStoreFace(store, bridge).clear(b"a:")

        assert asyncio.run(main()) == 2
        assert store.get([b"a:1", b"b:1"]) == [None, b"v"]

    def test_cancelled_operations_leave_nothing_behind(self, store: Store, bridge: Bridge) -> None:
        """Whenever a task is cancelled, nothing it did happens twice and no answer reaches another task."""

        async def main() -> set[bytes]:
            face = AsyncStoreFace(store, bridge)
            done: set[bytes] = set()

            async def append(mark: bytes) -> None:
                await face.run(APPEND, [b"log"], [mark])
                done.add(mark)

            for number in range(24):
                tasks = [asyncio.ensure_future(append(b"%d-%d" % (number, n))) for n in range(2)]
                await asyncio.sleep(0.0002 * (number % 8))
                tasks[0].cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                mark = b"mark-%d" % number
                await face.set({mark: mark}, None)
                assert await face.get([mark]) == [mark]
            return done

        done = asyncio.run(main())
        found = Counter((store.get([b"log"])[0] or b"").split())
        assert done <= set(found)
        assert max(found.values()) == 1
        assert len(done) >= 24

    def test_a_forked_child_has_connections_of_its_own(self, store: Store) -> None:
        """Parent and child use the store at once; each gets its own answers, and neither closes the other's."""
        store.set({b"k": b"parent"}, 60_000)
        child = _fork(lambda: _use(store, b"child"))
        _use(store, b"parent")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        _use(store, b"parent")

    def test_a_closed_store_may_be_closed_again(self, open_store: Callable[[], Store]) -> None:
        """Closing twice is no error."""
        store = open_store()
        store.set({b"k": b"v"}, 60_000)
        store.close()
        store.close()


def _use(store: Store, who: bytes) -> None:
    for number in range(50):
        mark = b"%s-%d" % (who, number)
        store.set({who: mark}, 60_000)
        if store.get([who]) != [mark]:
            raise AssertionError(f"{who!r} was answered {store.get([who])}")


def _fork(work: Callable[[], object]) -> int:
    with warnings.catch_warnings():
        # Python 3.12 warns of forking with threads: that a store bears it is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
