"""The stores without each of their guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from postrmagic_core._steps import Steps
from postrmagic_core.errors import BackendRejected, Conflict, OutcomeUnknown
from postrmagic_core.stores import Store
from postrmagic_core.stores.adapters import _redis_steps as steps
from postrmagic_core.stores.adapters._redis_wire import packed
from postrmagic_core.stores.adapters.sql import Held
from postrmagic_core.stores.adapters.sql_mysql import MysqlStore
from postrmagic_core.stores.interface import Script
from postrmagic_core.stores.lease import Grant
from postrmagic_core.stores.locked import Draft, Entry


def lock_nothing(store: MysqlStore, held: Held, keys: Sequence[bytes]) -> None:
    """Neither here nor when the rows are read: what was read may be another's before it is written."""
    held.locks = False


def patient(until: float) -> float:
    """Four seconds (in milliseconds) for each wait, however many there were."""
    return 4000.0


def request_of_ones_own(key: bytes, ttl: float) -> Grant:
    """Everybody asks for a lease of their own: nobody learns of another's."""
    token = secrets.token_hex(8).encode()
    return Grant(key + token, token, 0, ttl)


def attempt_again(store: Any, keys: Sequence[bytes], work: Callable[[Any], Any]) -> Any:
    """What was lost on its way is done once more, whether or not it had happened."""
    store._prepare()
    for _ in range(3):
        try:
            with store.locked(keys) as held:
                return work(held)
        except (OutcomeUnknown, Conflict):
            continue
    raise OutcomeUnknown("three times")


def own_anchor(store: Any, held: Held) -> bool:
    """Each process's clock as it was when the store was opened, whatever the others think."""
    return True


def set_by_hand(store: Any, held: object = None) -> int:
    """The wall clock."""
    return int(store._time.now_us())


def file_set_by_hand(store: Any) -> int:
    """The wall clock, for a store in a file that was given one."""
    return int(store._elapsed.__self__.now_us())


def run_in_pieces(store: Store, script: Script[Any], keys: Sequence[bytes], args: Sequence[Any], **given: Any) -> Any:
    """A Script as one writes it without Lua: read, decide, write."""
    values = zip(keys, store.get(keys), strict=True)
    entries = {key: Entry(value, None) for key, value in values if value is not None}
    draft = Draft(keys, entries, 0)
    result = script.body(draft, keys, [arg if isinstance(arg, bytes) else b"%d" % arg for arg in args], 0)
    for key, entry in draft.changes.items():
        if entry is None:
            store.delete([key])
        else:
            store.set({key: entry.value}, entry.ends_ms)
    return result


async def kept_in_doubt(wires: Any, mine: Any, commands: Any, writes: bool, until: float) -> list[Any]:
    """A connection is lent again, whatever became of the answer that was on its way."""
    line = wires._idle(mine) or await wires._reached(mine, until)
    try:
        replies = await line.ask(packed(commands), len(commands), until)
    finally:
        mine.idle.append(line)
    answer: list[Any] = wires.answered(replies)
    return answer


def keep_anyway(copies: Any, ticket: object, keys: Sequence[bytes], values: Mapping[bytes, bytes | None]) -> None:
    """What was read is kept near, whatever was told meanwhile."""
    with copies._near.locked(()):
        copies._near.save(None, {key: Entry(value, 2**62) for key, value in values.items() if value is not None})


def believing(feed: Any) -> float:
    """Copies are current, whether or not the server was heard lately."""
    return float(feed._monotonic())


def clear_at_once(prefix: bytes) -> Steps[int]:
    """KEYS and one command for all it found: the server answers nobody meanwhile."""
    replies = yield steps.exchange(("KEYS", prefix + b"*"), writes=False)
    if not replies[0]:
        return 0
    answers: list[int] = yield steps.exchange(("DEL", *replies[0]), writes=True)
    return answers[0]


def refused(error: Exception) -> Exception:
    """Whatever a server says, it is no more than a refusal."""
    return BackendRejected("the server refused the command")
