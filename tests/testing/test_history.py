"""The checkers accept what a correct system can produce, and each planted fault makes them red."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest

from postrmagic_core.testing import FakeClock
from postrmagic_core.testing.history import History, LineType, Op, bank, counter, set_full, total_queue, unique_ids
from postrmagic_core.testing.linearizability import MAX_OPS, linearizable


def sequence(*operations: tuple[str, Any, str]) -> list[Op]:
    """Operations of one process, each begun and ended before the next."""
    lines: list[Op] = []
    for f, value, outcome in operations:
        ended = Op(len(lines) + 1, 0, cast("LineType", outcome), f, value)
        lines += [Op(len(lines), 0, "invoke", f, value), ended]
    return lines


def lines(*given: tuple[int, LineType, str, Any]) -> list[Op]:
    """A history line by line: (process, type, f, value)."""
    return [Op(t, *line) for t, line in enumerate(given)]


class TestTotalQueue:
    """What goes in comes out."""

    GOOD = (("enqueue", 1, "ok"), ("enqueue", 2, "info"), ("enqueue", 3, "fail"), ("dequeue", 1, "ok"))

    def test_a_queue_that_gave_everything_is_valid(self) -> None:
        """An unknown put may stay away, or come out and be told as recovered."""
        assert total_queue(sequence(*self.GOOD))
        result = total_queue(sequence(*self.GOOD, ("dequeue", 2, "ok")))
        assert result.valid
        assert result.found["recovered"] == {2: 1}

    def test_a_lost_element_is_red(self) -> None:
        """Acknowledged and never seen again."""
        result = total_queue(sequence(("enqueue", 1, "ok"), ("enqueue", 2, "ok"), ("dequeue", 2, "ok")))
        assert not result
        assert result.found["lost"] == {1: 1}

    def test_one_of_two_equal_elements_lost_is_red(self) -> None:
        """Elements are counted, not only named."""
        result = total_queue(sequence(("enqueue", 1, "ok"), ("enqueue", 1, "ok"), ("dequeue", 1, "ok")))
        assert result.found["lost"] == {1: 1}

    def test_an_element_nobody_put_in_is_red(self) -> None:
        """Made from nothing."""
        result = total_queue(sequence(("dequeue", 9, "ok")))
        assert not result
        assert result.found["unexpected"] == {9: 1}

    def test_a_duplicate_is_told_but_allowed(self) -> None:
        """At-least-once delivers twice; recorded effects are checked by unique_ids."""
        history = sequence(("enqueue", 1, "ok"), ("dequeue", 1, "ok"), ("dequeue", 1, "ok"))
        assert total_queue(history).valid
        assert total_queue(history).found["duplicated"] == {1: 1}
        assert not unique_ids(history, f="dequeue")


class TestSetFull:
    """What was added is in every later read."""

    def test_a_read_that_overlaps_the_add_may_miss_it(self) -> None:
        """Only what was acknowledged before the read began must be there."""
        history = lines(
            (1, "invoke", "read", None), (0, "invoke", "add", 1), (0, "ok", "add", 1), (1, "ok", "read", []),
            (1, "invoke", "read", None), (1, "ok", "read", [1]),
        )  # fmt: skip
        assert set_full(history)

    def test_a_lost_element_is_red(self) -> None:
        """Missing in the last read."""
        result = set_full(sequence(("add", 1, "ok"), ("add", 2, "ok"), ("read", [2], "ok")))
        assert not result
        assert result.found == {"lost": {1}, "stale": set(), "unexpected": set()}

    def test_a_stale_read_is_red(self) -> None:
        """Missing once although acknowledged, and there again later."""
        result = set_full(sequence(("add", 1, "ok"), ("read", [], "ok"), ("read", [1], "ok")))
        assert not result
        assert result.found == {"lost": set(), "stale": {1}, "unexpected": set()}

    def test_an_invented_element_is_red(self) -> None:
        """In a read, never attempted."""
        assert set_full(sequence(("read", [4], "ok"))).found["unexpected"] == {4}

    def test_unknown_adds_may_be_there_or_not(self) -> None:
        """Both reads are possible."""
        assert set_full(sequence(("add", 1, "info"), ("read", [], "ok"), ("read", [1], "ok")))

    def test_without_a_read_nothing_is_proved(self) -> None:
        """A history nobody read is not valid."""
        assert set_full(sequence(("add", 1, "ok"))).found == {"unread": True}


class TestCounter:
    """A read lies between the sure and the attempted."""

    def test_reads_within_bounds_are_valid(self) -> None:
        """An unknown add may count or not; a failed one does not."""
        history = sequence(
            ("add", 1, "ok"), ("add", 5, "fail"), ("add", 2, "info"), ("read", 1, "ok"), ("read", 3, "ok")
        )
        assert counter(history)

    @pytest.mark.parametrize("read", [0, 4])
    def test_an_add_lost_or_counted_twice_is_red(self, read: int) -> None:
        """Below the acknowledged sum, or above the attempted."""
        result = counter(sequence(("add", 1, "ok"), ("add", 2, "info"), ("read", read, "ok")))
        assert not result
        assert result.found["errors"] == [(1, read, 3)]


class TestUniqueIds:
    """No id twice."""

    def test_distinct_ids_are_valid(self) -> None:
        """Ids of failed or unknown calls do not count: nobody got them."""
        assert unique_ids(sequence(("generate", "a", "ok"), ("generate", "b", "ok"), ("generate", "a", "info")))

    def test_a_duplicate_is_red(self) -> None:
        """And it is named, with its count."""
        result = unique_ids(sequence(*[("generate", "a", "ok")] * 3))
        assert not result
        assert result.found["duplicated"] == {"a": 3}


class TestBank:
    """Money is moved, never made."""

    def test_a_constant_total_is_valid(self) -> None:
        """Whatever the transfers."""
        assert bank(sequence(("read", {"a": 10, "b": 0}, "ok"), ("read", {"a": 3, "b": 7}, "ok")), total=10)

    def test_a_torn_transfer_is_red(self) -> None:
        """Taken here, not yet given there."""
        result = bank(sequence(("read", {"a": 3, "b": 0}, "ok")), total=10)
        assert not result
        assert result.found["wrong_total"] == [{"a": 3, "b": 0}]

    def test_an_overdraft_is_red_unless_allowed(self) -> None:
        """Two withdrawals that each saw enough."""
        history = sequence(("read", {"a": -1, "b": 11}, "ok"))
        assert bank(history, total=10).found["negative"] == [{"a": -1, "b": 11}]
        assert bank(history, total=10, overdraft=True)

    def test_without_a_read_nothing_is_proved(self) -> None:
        """A history nobody read is not valid."""
        assert not bank([], total=10)


class TestLinearizable:
    """One cell, as if its operations happened one at a time."""

    def test_overlapping_operations_may_take_either_order(self) -> None:
        """Two writes at once: a reader may see them in the other order than they were begun."""
        history = lines(
            (0, "invoke", "write", 1), (1, "invoke", "write", 2), (0, "ok", "write", 1), (1, "ok", "write", 2),
            (2, "invoke", "read", None), (2, "ok", "read", 1),
        )  # fmt: skip
        assert linearizable(history)

    def test_a_stale_read_is_red(self) -> None:
        """A read begun after the write ended may not see the old value."""
        result = linearizable(sequence(("write", 1, "ok"), ("write", 2, "ok"), ("read", 1, "ok")))
        assert not result
        assert result.found["stuck_at"] == [("read", 1)]

    def test_two_winners_of_one_cas_are_red(self) -> None:
        """Both held the lock: impossible in any order."""
        history = lines(
            (0, "invoke", "cas", (None, "A")), (1, "invoke", "cas", (None, "B")),
            (0, "ok", "cas", (None, "A")), (1, "ok", "cas", (None, "B")),
        )  # fmt: skip
        assert not linearizable(history)
        assert linearizable([*history[:3], Op(3, 1, "fail", "cas", (None, "B"))])

    def test_an_unknown_write_may_take_effect_late_or_never(self) -> None:
        """Its end is not known, so it stays possible for ever, but once."""
        unknown = ("write", 2, "info")
        assert linearizable(sequence(("write", 1, "ok"), unknown, ("read", 1, "ok"), ("read", 2, "ok")))
        assert linearizable(sequence(("write", 1, "ok"), unknown, ("read", 1, "ok")))
        assert not linearizable(
            sequence(("write", 1, "ok"), unknown, ("read", 2, "ok"), ("write", 3, "ok"), ("read", 2, "ok"))
        )

    def test_an_unknown_write_cannot_happen_before_it_began(self) -> None:
        """A read of its value before it was asked for is red."""
        assert not linearizable(sequence(("read", 2, "ok"), ("write", 2, "info")))

    def test_a_real_cell_is_linearizable_and_a_cached_one_is_not(self) -> None:
        """Recorded from six threads: the search accepts the real thing within its bound of operations."""
        assert linearizable(_recorded(seed=1, fault=lambda state, value: value), initial=0)
        assert not linearizable(_recorded(seed=1, fault=lambda state, value: 0 if value > 30 else value), initial=0)

    def test_too_long_a_history_is_refused(self) -> None:
        """Rather than searching for ever."""
        with pytest.raises(ValueError, match="split the history"):
            linearizable(sequence(*[("write", n, "ok") for n in range(MAX_OPS + 1)]))


def _recorded(seed: int, fault: Callable[[Any, int], int]) -> list[Op]:
    """What six threads did to one locked cell; ``fault`` may falsify what reads return."""
    history, lock, cell = History(), threading.Lock(), [0]

    def read() -> int:
        with lock:
            return fault(cell, cell[0])

    def write(value: int) -> None:
        with lock:
            cell[0] = value

    def worker(process: int) -> None:
        chance = random.Random(seed * 100 + process)
        for n in range(30):
            if chance.random() < 0.5:
                history.run(process, "read", None, read)
            else:
                value = process * 100 + n + 1
                history.run(process, "write", value, partial(write, value))

    threads = [threading.Thread(target=worker, args=(process,)) for process in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return history.ops


def test_the_recorder_tells_sure_failures_from_unknown_ones(frozen_clock: FakeClock) -> None:
    """A listed error means surely not done; any other leaves the operation unknown; a result closes it as ok."""
    history = History(frozen_clock.monotonic)

    def refuse() -> None:
        raise KeyError

    def vanish() -> None:
        raise OSError

    assert history.run(3, "read", None, lambda: 42) == 42
    assert history.run(3, "add", 1, refuse, surely_not=(KeyError,)) is None
    history.run(3, "add", 2, vanish, surely_not=(KeyError,))
    began = frozen_clock.monotonic()
    assert [(op.type, op.value, op.t, op.process) for op in history.ops] == [
        ("invoke", None, began, 3),
        ("ok", 42, began, 3),
        ("invoke", 1, began, 3),
        ("fail", 1, began, 3),
        ("invoke", 2, began, 3),
        ("info", 2, began, 3),
    ]
