"""How the time of a call grows with what it is given: for tests that hostile input costs no more than its size."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

_TURNS = 15
_PLAINLY_LINEAR = 2.4


def growth(call: Callable[[int], object], size: int) -> float:
    """How many times as long ``call(2 * size)`` takes as ``call(size)``: 2 for linear work, 4 for quadratic.

    Processor time of this thread, the shortest of several turns. They end once the answer is plainly linear; a call
    that a busy machine slows down gets more of them.
    """
    best = {size: math.inf, 2 * size: math.inf}
    ratio = math.inf
    for turn in range(_TURNS):
        for each, shortest in best.items():
            begin = time.thread_time()
            call(each)
            best[each] = min(shortest, time.thread_time() - begin)
        # Half a millisecond on both: below it the clock decides, and no shape that matters stays below it.
        ratio = (best[2 * size] + 0.0005) / (best[size] + 0.0005)
        if turn and ratio < _PLAINLY_LINEAR:
            break
    return ratio
