"""Between callers and the sink: a bounded backlog and one thread, so that nobody waits for a disk."""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from .._lifecycle import after_fork
from .._metrics import Metrics
from . import exits
from .emergency import is_stderr, reason, to_stderr
from .interface import Sink

URGENT_BYTES = 64 * 1024 * 1024
"""Bytes of lines of ERROR and above that may wait; then their callers do."""
LARGE_BYTES = 16 * 1024 * 1024
"""Bytes of other lines longer than :data:`LARGE` that may wait; then they are dropped."""
LARGE = 4096
PATIENCE = 5.0
"""Seconds that a caller waits at most, with an urgent line, for room."""
# A thread that wakes for each line costs who computes more than the line does; an urgent one, or many, end the wait.
_GATHER = 0.05
_IDLE = 1.0
_BACKOFF = (0.05, 1.0)
_YIELD = 0.0001
_YIELDS = 10


class Urgent(bytes):
    """A line that must not be lost."""


class _Large(bytes):
    """A line whose length is counted."""


class Writer:
    """Takes rendered lines at the cost of an append and has a thread of its own hand them to ``sink``, in order.

    ``backlog`` lines may wait. Then those below ERROR are dropped and counted (``log_dropped_total``), those of ERROR
    and above wait in up to 64 MiB more; only when these are used up a caller waits, at most five seconds, and then the
    line goes to standard error (``log_emergency_total``). A caller that finds more than half of the backlog taken
    yields a tenth of a millisecond to the thread, ten times until the sink has taken something: it may only be short of
    the interpreter.

    While the sink fails, lines below ERROR are dropped and counted, the others kept and tried again; standard error is
    told once. When it heals, ``render_notice({"level": "warning", "event": "log output resumed", "dropped": n})``
    precedes. So it does, at most once a second, where lines were dropped for lack of room.

    The thread starts with the first line. A forked child begins without backlog and with a thread of its own; its
    parent writes what it had. Of all methods only :meth:`put` of an urgent line, :meth:`flush` and :meth:`close` wait.
    """

    def __init__(
        self, sink: Sink, metrics: Metrics, *, backlog: int = 10_000, render_notice: Callable[[dict[str, Any]], bytes]
    ) -> None:
        self._sink = sink
        self._backlog = backlog
        self._render_notice = render_notice
        self._written = metrics.counter("log_lines_total")
        self._dropped = metrics.counter("log_dropped_total")
        self._emergencies = metrics.counter("log_emergency_total")
        metrics.gauge("log_backlog", lambda: len(self._queue))
        self._closed = False
        self._begin()
        # Neither the thread nor the holders of locks come along; what waits is the parent's to write.
        after_fork(self._begin)
        exits.register(self)

    def _begin(self) -> None:
        self._changed = threading.Condition(threading.RLock())  # a signal's handler or __del__ may log, too
        self._bell = threading.Lock()
        self._bell.acquire()
        self._queue: deque[bytes] = deque()
        self._batch: list[bytes] = []  # taken from the queue, not yet with the sink
        self._thread: threading.Thread | None = None
        self._asleep = True
        self._ending = False
        self._direct = False
        self._many = 0 if self._closed else self._backlog // 8
        self._urgent_bytes = self._large_bytes = 0
        self._patient = True
        self._begun = self._done = self._wanted = 0
        self._yields = 0
        self._in_sink = False
        self._pause = 0.0
        self._missed = 0
        self._noticed_at = -_IDLE
        self._idle_at = 0.0

    @property
    def full(self) -> bool:
        """Whether a line below ERROR would be dropped now."""
        return len(self._queue) >= self._backlog

    def put(self, line: bytes, urgent: bool) -> bool:
        """Have ``line`` (UTF-8, without its newline) written; ``False``: it was dropped, and counted."""
        queue = self._queue
        waiting = len(queue)
        if urgent or waiting >= self._many or len(line) > LARGE:
            return self._put_slowly(line, urgent, waiting)
        queue.append(line)
        if self._asleep:
            self._wake()
        return True

    def put_bare(self, line: bytes) -> None:
        """Have an urgent ``line`` written soon, where there is hardly any stack left."""
        self._queue.append(Urgent(line))
        try:
            self._wake()
        except RecursionError:  # the thread looks once a second, if it has begun; else the next line begins it
            self._asleep = True

    def drop(self) -> None:
        """Count a line that was not even rendered, since the writer is :attr:`full`."""
        with self._changed:  # exactly: a notice and the counter tell what became of each line
            self._dropped.add()
            self._missed += 1

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all that was put before is with the sink; ``False``: it is not, or the sink fails."""
        if threading.current_thread() is self._thread:
            return False
        with self._changed:
            if self._closed:
                return False
            if self._direct:
                self._round()
                return not self._batch and not self._pause
            if self._thread is None and not self._queue and not self._batch:
                return True
            target = self._wanted = max(self._wanted, self._begun + 1)
            self._wake()
            self._changed.wait_for(lambda: self._done >= target or self._closed, timeout)
            return self._done >= target and not self._pause

    def close(self, grace: float = 5.0) -> None:
        """Flush, end the thread and close the sink; urgent lines that it still refuses go to standard error."""
        if self._closed:
            return
        exits.unregister(self)
        self.end(grace)
        with self._changed:
            self._shut()
        if self._thread is None or not self._thread.is_alive():  # a descriptor in use must not become another's
            with suppress(OSError):
                self._sink.close()

    def end(self, grace: float) -> None:
        """Flush and end the thread: the process is about to end. What comes later is written by its caller."""
        deadline = time.monotonic() + grace
        self.flush(grace)
        with self._changed:
            thread, self._ending = self._thread, True
            self._ring()
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(0.1, deadline - time.monotonic()))
        stuck = thread is not None and thread.is_alive()
        with self._changed:
            self._direct = self._asleep = True
            if stuck:
                self._shut()
            elif not self._closed:
                self._round()  # what came meanwhile
            self._give_up()

    def _shut(self) -> None:
        self._closed = True
        self._many = 0  # every line takes the slow path, where it is refused
        self._give_up()

    # What the fast path leaves.

    def _put_slowly(self, line: bytes, urgent: bool, waiting: int) -> bool:
        if self._closed:
            return self._refused(line, urgent)
        if urgent:
            return self._put_urgent(Urgent(line))
        if waiting == self._many:
            self._ring()
        if waiting >= self._backlog // 2 and self._yields < _YIELDS:
            self._yields += 1
            time.sleep(_YIELD)  # the thread may need the interpreter, not the disk: leave it some
        if self.full:
            self.drop()
            return False
        if len(line) > LARGE:
            with self._changed:
                if self._large_bytes + len(line) > LARGE_BYTES:
                    self.drop()
                    return False
                self._large_bytes += len(line)
            line = _Large(line)
        self._queue.append(line)
        if self._asleep:
            self._wake()
        return True

    def _put_urgent(self, line: Urgent) -> bool:
        with self._changed:
            if not self._room_for(line) and self._patient:
                self._patient = self._changed.wait_for(lambda: self._room_for(line), PATIENCE)
            if not self._room_for(line):
                return self._refused(line, True)
            self._urgent_bytes += len(line)
            self._queue.append(line)
        if self._asleep:
            self._wake()
        else:
            self._ring()
        return True

    def _room_for(self, line: bytes) -> bool:
        return not self._urgent_bytes or self._urgent_bytes + len(line) <= URGENT_BYTES

    def _refused(self, line: bytes, urgent: bool) -> bool:
        """Neither queue nor sink takes it any more."""
        if urgent:
            return self._in_emergency([line])
        self.drop()
        return False

    def _in_emergency(self, lines: Sequence[bytes]) -> bool:
        """Urgent lines go to standard error, unless that is who refuses them: then they are counted as dropped."""
        if (self._pause or self._in_sink) and is_stderr(self._sink):
            self._dropped.add(len(lines))
            return False
        self._emergencies.add(len(lines))
        to_stderr(lines)
        return True

    def _wake(self) -> None:
        with self._changed:
            if self._closed:
                self._give_up()
                return
            if self._direct or (self._thread is None and not self._start()):
                if not self._in_sink:  # or the sink itself logs: its line goes with the next one
                    self._round()
                return
            self._asleep = False
        self._ring()

    def _ring(self) -> None:
        with suppress(RuntimeError):  # rung already
            self._bell.release()

    def _start(self) -> bool:
        # A context of its own: the caller's unit, work and log fields are not the thread's.
        run = contextvars.Context().run
        thread = threading.Thread(target=run, args=(self._run,), name="postrmagic-log", daemon=True)
        try:
            thread.start()
        except RecursionError:  # of the caller: it may run, or not
            raise
        except RuntimeError:  # the interpreter ends, or there are too many: callers write themselves
            self._direct = True
            return False
        self._thread = thread
        exits.in_this_process(self)
        return True

    # What the thread does.

    def _run(self) -> None:
        with self._changed:
            self._thread = me = self._thread or threading.current_thread()
        # Near the end of its caller's stack one may be begun that nobody knows of, and then another.
        while me is threading.current_thread() and not (self._ending and not self._queue):
            self._rest()
            with suppress(BaseException):  # nothing ends the only one who writes
                self._round()
                self._tend()
            if self._ending and self._pause:
                return

    def _rest(self) -> None:
        """Until there is something to write, and a little longer: more may come."""
        if self._pause:
            self._bell.acquire(timeout=self._pause)
            return
        if not self._queue:
            self._asleep = True
            if not self._queue and not self._ending and self._wanted <= self._begun:
                self._bell.acquire(timeout=_IDLE)
            self._asleep = False
        if self._queue and self._wanted <= self._begun and not self._ending:
            self._bell.acquire(timeout=_GATHER)

    def _round(self) -> None:
        with self._changed:
            self._begun += 1
            queue = self._queue
            self._batch += [queue.popleft() for _ in range(len(queue))]
        try:
            self._deliver()
        except BaseException as error:  # OSError is promised; what else a sink raises must not end the thread
            if not isinstance(error, Exception) and threading.current_thread() is not self._thread:
                raise  # the interrupt of a caller who writes himself
            self._failed(error)
        with self._changed:
            if self._urgent_bytes or self._large_bytes:
                self._weigh()
            if not self._batch:
                self._done = self._begun
            self._changed.notify_all()

    def _deliver(self) -> None:
        if self._pause or (self._missed and time.monotonic() - self._noticed_at >= _IDLE):
            self._notify()
        while self._batch:
            arrived = self._write(self._batch)
            del self._batch[:arrived]
            self._written.add(arrived)

    def _notify(self) -> None:
        missed = self._missed
        if self._batch or missed:
            self._write([self._render_notice({"level": "warning", "event": "log output resumed", "dropped": missed})])
            self._noticed_at = time.monotonic()
            self._pause = 0.0
            with self._changed:
                self._missed -= missed

    def _write(self, lines: list[bytes]) -> int:
        self._in_sink = True
        try:
            arrived = self._sink.write(lines)
        finally:
            self._in_sink = False
            self._yields = 0
        if not 0 < arrived <= len(lines):
            raise OSError(f"the sink says that {arrived} of {len(lines)} lines arrived")
        return arrived

    def _failed(self, error: BaseException) -> None:
        if not self._pause and not is_stderr(self._sink):
            to_stderr([b"postrmagic_core.log: output failed (%s); dropping records until it heals" % reason(error)])
        least, most = _BACKOFF
        self._pause = min(most, max(least, 2 * self._pause))
        with self._changed:
            kept: list[bytes] = [line for line in self._batch if isinstance(line, Urgent)]
            lost = len(self._batch) - len(kept)
            self._batch = kept
            self._dropped.add(lost)
            self._missed += lost

    def _weigh(self) -> None:
        """Count again what waits; callers that wait for room may have it."""
        waiting = [*self._batch, *self._queue]
        urgent = sum(len(line) for line in waiting if isinstance(line, Urgent))
        self._patient = self._patient or urgent < self._urgent_bytes
        self._urgent_bytes = urgent
        self._large_bytes = sum(len(line) for line in waiting if isinstance(line, _Large))

    def _tend(self) -> None:
        now = time.monotonic()
        if now >= self._idle_at:
            self._idle_at = now + _IDLE
            self._sink.idle()

    def _give_up(self) -> None:
        """What is left goes to standard error if it is urgent; the rest is counted."""
        left = [*self._batch, *self._queue]
        self._batch, self._urgent_bytes, self._large_bytes = [], 0, 0
        self._queue.clear()
        urgent = [line for line in left if isinstance(line, Urgent)]
        self._dropped.add(len(left) - len(urgent))
        self._in_emergency(urgent)
