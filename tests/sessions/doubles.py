"""Sessions without each of their guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from postrmagic_core._crypto import KeyRing
from postrmagic_core._steps import Steps
from postrmagic_core.errors import BackendError
from postrmagic_core.middleware.interface import Response
from postrmagic_core.sessions.policy import Changes, Record
from postrmagic_core.sessions.rows import Swap, dropping
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.stores.adapters.sql import SqlStore
from postrmagic_core.stores.scripts import INVALIDATE, SWAP


def last_write_wins(swaps: Sequence[Swap]) -> Callable[[Any], Any]:
    """Rows are written whatever is there, or is there no more; for the sync face."""

    def write(port: Any) -> list[int]:
        port.store.set({swap.key: swap.blob for swap in swaps}, 60_000)
        return [1, 0]

    return write


def unmerged(record: Record, changes: Changes, now_us: int) -> Record:
    """The last writer's own changes, and nothing of the others'."""
    return record._replace(fields=dict(changes.changed), touched_us=now_us)


def newest_key_only(ring: KeyRing, message: bytes, *, purpose: str) -> list[bytes]:
    """Older keys are forgotten at once."""
    return [ring.mac(message, purpose=purpose)]


def revoke_nobody(roster: Any, user_id: str) -> Steps[None]:
    """The user's generation stays as it is."""
    yield from ()


def revoke_the_listed(roster: Any, user_id: str) -> Steps[None]:
    """What is in the list goes, whatever else there is."""
    entries = yield from roster._entries(user_id)
    yield dropping([entry.row for entry in entries])


def let_pass(error: BackendError) -> Response:
    """As if the visitor had no session: a new cookie, and no word of what went wrong."""
    return Response(200, headers={"set-cookie": "__Host-session=; Max-Age=0"})


def sweep_all(store: SqlStore, limit: int = 10_000) -> int:
    """Whatever there is goes."""
    return store._in_batches("1 = 1", (), limit)


class Undead(MemoryStore):
    """What is deleted stays."""

    def delete(self, keys: Sequence[bytes]) -> int:
        """Do nothing."""
        return 0


class Forgetful(MemoryStore):
    """What a Script stores is not there."""

    def run(self, script: Any, keys: Sequence[bytes], args: Sequence[Any], **options: Any) -> Any:
        """And then delete it."""
        answer = super().run(script, keys, args, **options)
        self.delete(keys)
        return answer


class LastWriteWins(MemoryStore):
    """Rows are written whatever is there, or is there no more."""

    def run(self, script: Any, keys: Sequence[bytes], args: Sequence[Any], **options: Any) -> Any:
        """SWAP does not compare."""
        if script is not SWAP:
            return super().run(script, keys, args, **options)
        self.set(dict(zip(keys, args[1::4], strict=True)), 60_000)
        return [1, 0]


class Unlisted(MemoryStore):
    """A user's list is always empty."""

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """As if it were not there."""
        return [None if b":sessionsof:" in key else value for key, value in zip(keys, super().get(keys), strict=True)]


class Unguarded(MemoryStore):
    """A user's generation never changes."""

    def run(self, script: Any, keys: Sequence[bytes], args: Sequence[Any], **options: Any) -> Any:
        """INVALIDATE says that it did."""
        return [1] * len(keys) if script is INVALIDATE else super().run(script, keys, args, **options)
