"""A channel in memory that keeps the contract, made of small parts for others to break."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

from postrmagic_core._lifecycle import after_fork
from postrmagic_core.errors import NotOpen, UsageError
from postrmagic_core.events.channel import MAX_PAYLOAD, ChannelOptions, Missed


class Inbox:
    """What waits for one listener."""

    def __init__(self, heard: Callable[[bytes], None], missed: Callable[[Missed], None]) -> None:
        self.heard = heard
        self.missed = missed
        self.changed = threading.Condition()
        self.queue: deque[bytes] = deque()
        self.size = 0
        self.lost = 0
        self.ended = False
        self.thread: threading.Thread | None = None


class Room:
    """Who listens to one URL and namespace."""

    def __init__(self) -> None:
        self.forget()
        after_fork(self.forget)

    def forget(self) -> None:
        """A child has nobody."""
        self.lock = threading.RLock()
        self.inboxes: list[Inbox] = []


ROOMS: defaultdict[tuple[str, str], Room] = defaultdict(Room)


class Good:
    """A queue and a thread for each listener. Its parts are methods, for others to break."""

    def __init__(self, url: str, options: ChannelOptions) -> None:
        self.options = options
        self.room = ROOMS[url, self.space(options.namespace)]
        self.inboxes: list[Inbox] = []
        self.is_open = False
        after_fork(self.forget)

    @classmethod
    def from_url(cls, url: str, options: ChannelOptions) -> Self:
        """In the room of that name."""
        return cls(url, options)

    def forget(self) -> None:
        """A child has none of the threads."""
        self.inboxes.clear()

    def space(self, namespace: str) -> str:
        """What keeps applications apart."""
        return namespace

    def open(self) -> None:
        """From now on."""
        self.is_open = True

    def close(self) -> None:
        """No longer."""
        self.is_open = False
        for inbox in list(self.inboxes):
            self.end(inbox)

    def ensure_open(self) -> None:
        """Refuse what comes too early or late."""
        if not self.is_open:
            raise NotOpen

    def check(self, payload: bytes) -> None:
        """Refuse what cannot be carried."""
        if type(payload) is not bytes:
            raise TypeError("bytes are wanted")
        if len(payload) > MAX_PAYLOAD:
            raise UsageError(f"more than {MAX_PAYLOAD} bytes")

    def publish(self, payload: bytes) -> None:
        """See the interface."""
        self.ensure_open()
        self.check(payload)
        with self.atomic():
            for inbox in list(self.room.inboxes):
                self.put(inbox, payload)

    def atomic(self) -> Any:
        """Nobody else publishes meanwhile."""
        return self.room.lock

    def put(self, inbox: Inbox, payload: bytes) -> None:
        """Let it wait for the listener."""
        with inbox.changed:
            inbox.queue.append(payload)
            inbox.size += len(payload) + 100
            self.bound(inbox)
            inbox.changed.notify_all()

    def bound(self, inbox: Inbox) -> None:
        """Drop the oldest of what is too much."""
        while inbox.size > self.options.keep_bytes:
            inbox.size -= len(inbox.queue.popleft()) + 100
            inbox.lost += 1

    @contextmanager
    def listen(self, heard: Callable[[bytes], None], missed: Callable[[Missed], None]) -> Iterator[None]:
        """See the interface."""
        self.ensure_open()
        inbox = Inbox(heard, missed)
        self.begin(inbox)
        try:
            yield
        finally:
            self.end(inbox)

    def begin(self, inbox: Inbox) -> None:
        """Let it hear."""
        self.inboxes.append(inbox)
        inbox.thread = threading.Thread(target=self.run, args=[inbox], daemon=True)
        inbox.thread.start()
        with self.room.lock:
            self.room.inboxes.append(inbox)

    def end(self, inbox: Inbox) -> None:
        """Let it hear no more."""
        if inbox not in self.inboxes:
            return
        self.inboxes.remove(inbox)
        with self.room.lock:
            self.room.inboxes.remove(inbox)
        with inbox.changed:
            inbox.ended = True
            inbox.changed.notify_all()
        if inbox.thread is not None and inbox.thread is not threading.current_thread():
            inbox.thread.join(self.patience())

    def patience(self) -> float | None:
        """Seconds that a call under way is waited for."""
        return 0.3

    def run(self, inbox: Inbox) -> None:
        """The listener's thread."""
        while True:
            with inbox.changed:
                inbox.changed.wait_for(lambda: inbox.queue or inbox.ended)
                if self.is_over(inbox):
                    return
                lost, inbox.lost = inbox.lost, 0
                payload = inbox.queue.popleft()
                inbox.size -= len(payload) + 100
            if lost:
                self.tell_missed(inbox, lost)
            self.tell(inbox, payload)

    def is_over(self, inbox: Inbox) -> bool:
        """Whether the thread ends here."""
        return inbox.ended

    def tell(self, inbox: Inbox, payload: bytes) -> None:
        """Call the listener."""
        self.guarded(lambda: inbox.heard(payload))

    def tell_missed(self, inbox: Inbox, lost: int) -> None:
        """Tell it what it missed."""
        self.guarded(lambda: inbox.missed(Missed(lost, "behind")))

    def guarded(self, call: Callable[[], None]) -> None:
        """Its errors are its own."""
        with suppress(Exception):
            call()
