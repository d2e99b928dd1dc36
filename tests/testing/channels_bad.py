"""Channels that break one clause of the contract each, and the tests that must notice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

from postrmagic_core.events.channel import Missed
from tests.testing.channels import Good, Inbox


@dataclass(frozen=True)
class Bad:
    """A channel with some parts replaced; ``tests`` are those that must be red, without ``test_``."""

    parts: dict[str, Any]
    tests: set[str]

    def channel(self, name: str) -> type[Good]:
        """The class."""
        return type(name, (Good,), self.parts)


def spoken(self: Good, inbox: Inbox, payload: bytes) -> None:
    """To the publisher's face."""
    self.tell(inbox, payload)


def not_to_oneself(self: Good, payload: bytes) -> None:
    """Only others."""
    self.ensure_open()
    self.check(payload)
    with self.atomic():
        for inbox in list(self.room.inboxes):
            if inbox not in self.inboxes:
                self.put(inbox, payload)


def to_the_first(self: Good, payload: bytes) -> None:
    """One of the process's listeners is enough."""
    self.ensure_open()
    self.check(payload)
    with self.atomic():
        for inbox in self.room.inboxes[:1]:
            self.put(inbox, payload)


def slowly(self: Good, inbox: Inbox, payload: bytes) -> None:
    """Somebody else may publish meanwhile."""
    time.sleep(0.0005)
    Good.put(self, inbox, payload)


def newest_first(self: Good, inbox: Inbox, payload: bytes) -> None:
    """Who is slow hears the news."""
    Good.put(self, inbox, payload)
    with inbox.changed:
        inbox.queue.rotate(1)


def twice(self: Good, inbox: Inbox, payload: bytes) -> None:
    """To be sure."""
    Good.put(self, inbox, payload)
    Good.put(self, inbox, payload)


def late_beginning(self: Good, inbox: Inbox) -> None:
    """Soon."""

    def run() -> None:
        time.sleep(0.1)
        inbox.queue.clear()
        self.run(inbox)

    self.inboxes.append(inbox)
    self.room.inboxes.append(inbox)
    inbox.thread = threading.Thread(target=run, daemon=True)
    inbox.thread.start()


LAST: dict[int, list[bytes]] = {}


def remembered(self: Good, inbox: Inbox) -> None:
    """What was published before is news to him."""
    Good.begin(self, inbox)
    for payload in LAST.get(id(self.room), []):
        self.put(inbox, payload)


def remembering(self: Good, payload: bytes) -> None:
    """For those who come later."""
    Good.publish(self, payload)
    LAST.setdefault(id(self.room), []).append(payload)


def never_ended(self: Good, inbox: Inbox) -> None:
    """Once a listener, always a listener."""


def unheard_thread(self: Good, inbox: Inbox) -> None:
    """It hears no more, but its thread stays."""
    if inbox in self.inboxes:
        self.inboxes.remove(inbox)
        self.room.inboxes.remove(inbox)


def one_for_all(self: Good, inbox: Inbox, payload: bytes) -> None:
    """The queue has room, or the publisher waits."""
    with inbox.changed:
        inbox.queue.append(payload)
        inbox.size += len(payload) + 100
        inbox.changed.notify_all()
    deadline = time.monotonic() + 0.05
    while inbox.queue and time.monotonic() < deadline:
        time.sleep(0.0005)


def drops_silently(self: Good, inbox: Inbox) -> None:
    """Nobody is told."""
    while inbox.size > self.options.keep_bytes:
        inbox.size -= len(inbox.queue.popleft()) + 100


def drops_the_newest(self: Good, inbox: Inbox) -> None:
    """What is full takes nothing more."""
    while inbox.size > self.options.keep_bytes:
        inbox.size -= len(inbox.queue.pop()) + 100
        inbox.lost += 1


def drops_everything(self: Good, inbox: Inbox) -> None:
    """A fresh start."""
    if inbox.size > self.options.keep_bytes:
        newest = inbox.queue.pop()
        inbox.lost += len(inbox.queue)
        inbox.queue.clear()
        inbox.queue.append(newest)
        inbox.size = len(newest) + 100


def keeps_little(self: Good, inbox: Inbox) -> None:
    """A quarter."""
    while inbox.size > self.options.keep_bytes // 4:
        inbox.size -= len(inbox.queue.popleft()) + 100
        inbox.lost += 1


def keeps_some(self: Good, inbox: Inbox) -> None:
    """Three payloads, however great they are not."""
    while len(inbox.queue) > 3:
        inbox.size -= len(inbox.queue.popleft()) + 100
        inbox.lost += 1


def counts_wrongly(self: Good, inbox: Inbox, lost: int) -> None:
    """One more or less."""
    self.guarded(lambda: inbox.missed(Missed(lost + 1, "behind")))


def counts_not(self: Good, inbox: Inbox, lost: int) -> None:
    """Some."""
    self.guarded(lambda: inbox.missed(Missed(None, "behind")))


def told_afterwards(self: Good, inbox: Inbox, payload: bytes) -> None:
    """What was missed is told when all is heard."""
    Good.tell(self, inbox, payload)
    if (lost := getattr(inbox, "told", 0)) and not inbox.queue:
        inbox.told = 0  # type: ignore[attr-defined]  # this double's own
        self.guarded(lambda: inbox.missed(Missed(lost, "behind")))


def told_later(self: Good, inbox: Inbox, lost: int) -> None:
    """Not now."""
    inbox.told = getattr(inbox, "told", 0) + lost  # type: ignore[attr-defined]  # this double's own


def gives_up(self: Good, inbox: Inbox, payload: bytes) -> None:
    """Whoever fails is no longer called."""
    try:
        inbox.heard(payload)
    except Exception:
        inbox.ended = True


def another_thread(self: Good, inbox: Inbox, payload: bytes) -> None:
    """Each time."""
    thread = threading.Thread(target=Good.tell, args=[self, inbox, payload])
    thread.start()
    thread.join()


def joins_for_ever(self: Good, inbox: Inbox) -> None:
    """Until it is done, whatever it does."""
    mine = inbox in self.inboxes
    Good.end(self, inbox)
    if mine and inbox.thread is not None:
        inbox.thread.join(5)


def joins_itself(self: Good, inbox: Inbox) -> None:
    """Also where that is himself."""
    if inbox in self.inboxes and inbox.thread is threading.current_thread():
        time.sleep(3)
    Good.end(self, inbox)


def works_off(self: Good, inbox: Inbox) -> bool:
    """What waits is still told."""
    return inbox.ended and not inbox.queue


def closes_itself_only(self: Good) -> None:
    """Whoever listens goes on."""
    self.is_open = False


def swallows(self: Good, heard: Callable[[bytes], None], missed: Callable[[Missed], None]) -> Any:
    """Errors too."""
    block = Good.listen(self, heard, missed)

    class Block:
        def __enter__(self) -> None:
            block.__enter__()

        def __exit__(self, *error: Any) -> bool:
            with suppress(BaseException):
                block.__exit__(*error)
            return True

    return Block()


def stripped(self: Good, inbox: Inbox, payload: bytes) -> None:
    """Nobody wants what surrounds the text."""
    Good.put(self, inbox, payload.strip(b"\0\r\n"))


def not_nothing(self: Good, inbox: Inbox, payload: bytes) -> None:
    """Nothing is not worth a call."""
    if payload:
        Good.put(self, inbox, payload)


def not_the_greatest(self: Good, inbox: Inbox, payload: bytes) -> None:
    """Too much for us."""
    if len(payload) < 100_000:
        Good.put(self, inbox, payload)


HEARING = {
    "Spoken": Bad({"put": spoken}, {"listeners_are_called_in_a_thread_of_the_channel_s"}),
    "NotToOneself": Bad(
        {"publish": not_to_oneself}, {"all_that_is_published_is_heard_everywhere", "a_listener_may_publish"}
    ),
    "ToTheFirst": Bad({"publish": to_the_first}, {"all_that_is_published_is_heard_everywhere"}),
    "Unordered": Bad({"atomic": lambda self: nullcontext(), "put": slowly}, {"the_order_is_one"}),
    "NewestFirst": Bad({"put": newest_first}, {"a_slow_listener_misses_nothing_that_is_kept"}),
    "Twice": Bad({"put": twice}, {"all_that_is_published_is_heard_everywhere", "the_order_is_one"}),
    "LateBeginning": Bad({"begin": late_beginning}, {"who_begins_to_listen_misses_nothing_from_then_on"}),
    "Remembering": Bad(
        {"begin": remembered, "publish": remembering}, {"a_listener_hears_from_its_beginning_to_its_end"}
    ),
    "Shared": Bad(
        {"space": lambda self, namespace: "all"},
        {f"applications_do_not_hear_each_other[{name}]" for name in ("contract2", "other", "c*", "contract:events")},
    ),
    "SharedByBeginning": Bad(
        {"space": lambda self, namespace: namespace[:8]},
        {"applications_do_not_hear_each_other[contract2]", "applications_do_not_hear_each_other[contract:events]"},
    ),
    "Stripped": Bad({"put": stripped}, {f"a_payload_is_heard_as_it_was[{name}]" for name in ("zero", "protocol")}),
    "NotNothing": Bad({"put": not_nothing}, {"a_payload_is_heard_as_it_was[empty]"}),
    "NotTheGreatest": Bad({"put": not_the_greatest}, {"a_payload_is_heard_as_it_was[greatest]"}),
    "TakesAll": Bad({"check": lambda self, payload: None}, {"what_no_channel_carries_is_refused"}),
    "GivesUp": Bad({"tell": gives_up}, {"a_listener_that_fails_goes_on"}),
    "AnotherThread": Bad({"tell": another_thread}, {"listeners_are_called_in_a_thread_of_the_channel_s"}),
}

SLOW = {
    "Waiting": Bad({"put": one_for_all}, {"a_slow_listener_delays_nobody"}),
    "DropsSilently": Bad({"bound": drops_silently}, {"what_a_slow_listener_missed_it_is_told"}),
    "DropsTheNewest": Bad({"bound": drops_the_newest}, {"what_a_slow_listener_missed_it_is_told"}),
    "DropsEverything": Bad({"bound": drops_everything}, {"great_payloads_push_out_no_more_than_they_need"}),
    "KeepsLittle": Bad({"bound": keeps_little}, {"a_slow_listener_misses_nothing_that_is_kept"}),
    "KeepsSome": Bad({"bound": keeps_some}, {"a_slow_listener_delays_nobody"}),
    "KeepsAll": Bad({"bound": lambda self, inbox: None}, {"what_is_kept_is_bounded"}),
    "CountsWrongly": Bad({"tell_missed": counts_wrongly}, {"what_a_slow_listener_missed_it_is_told"}),
    "CountsNot": Bad({"tell_missed": counts_not}, {"what_a_slow_listener_missed_it_is_told"}),
    "ToldAfterwards": Bad(
        {"tell_missed": told_later, "tell": told_afterwards}, {"what_a_slow_listener_missed_it_is_told"}
    ),
}

ENDS = {
    "AlwaysOpen": Bad({"ensure_open": lambda self: None}, {"it_is_used_while_it_is_open"}),
    "NeverEnded": Bad(
        {"end": never_ended},
        {"a_listener_hears_from_its_beginning_to_its_end", "a_listener_ends_promptly"},
    ),
    "UnheardThread": Bad({"end": unheard_thread}, {"a_listener_ends_promptly"}),
    "JoinsForEver": Bad({"end": joins_for_ever}, {"a_listener_that_is_being_called_ends"}),
    "JoinsItself": Bad({"end": joins_itself}, {"a_listener_may_close_its_channel"}),
    "WorksOff": Bad({"is_over": works_off}, {"a_listener_that_is_being_called_ends"}),
    "Swallows": Bad({"listen": swallows}, {"a_listener_ends_where_its_block_fails"}),
    "ClosesItselfOnly": Bad({"close": closes_itself_only}, {"closing_ends_every_listener"}),
}

FAMILIES = {"hearing": HEARING, "slow": SLOW, "ends": ENDS}
