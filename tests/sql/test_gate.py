"""The writers' gate: first come, first served, and nobody waits for ever."""

from __future__ import annotations

import os
import threading

import pytest

from postrmagic_core._sql.gate import Gate, gate_of
from postrmagic_core.errors import Conflict
from postrmagic_core.testing import until


def waiting(gate: Gate, number: int) -> None:
    """Wait until that many threads queue."""
    until(lambda: len(gate._queue) >= number)


def test_turns_are_given_in_the_order_of_asking() -> None:
    """No thread overtakes another."""
    gate, order = Gate(), list[int]()

    def write(number: int) -> None:
        gate.acquire(10)
        order.append(number)
        gate.release()

    gate.acquire(1)
    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=write, args=(number,)))
        threads[-1].start()
        waiting(gate, number + 1)
    gate.release()
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_waiting_ends_with_a_conflict_and_leaves_the_queue() -> None:
    """Who gave up is skipped; the gate works on."""
    gate = Gate()
    gate.acquire(1)
    with pytest.raises(Conflict, match=r"0\.01 s"):
        gate.acquire(0.01)
    gate.release()
    gate.acquire(0.01)


def test_one_gate_for_each_database() -> None:
    """Managers of one file share it, others do not meet; nothing is kept of databases no longer used."""
    first = gate_of("sqlite:/a")
    assert gate_of("sqlite:/a") is first
    assert gate_of("sqlite:/b") is not first


def test_a_forked_child_finds_the_gate_open() -> None:
    """The thread that held it did not come along."""
    gate = Gate()
    gate.acquire(1)
    child = os.fork()
    if child == 0:
        try:
            gate.acquire(0.01)
        except Conflict:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
