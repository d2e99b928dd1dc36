"""A user's sessions: the list kept beside them, and ending some of them."""

from __future__ import annotations

from typing import Any

from .._steps import Steps
from ..errors import UsageError
from ..stores.scripts import INVALIDATE
from . import policy
from .devices import Device, Entry, device, device_id
from .incidents import tell_ended
from .policy import Record
from .rows import Rows, Swap, dropping, getting, pause, store_time, swapping
from .session import Draft, Session


class Roster:
    """Listing and ending the sessions of a user, as steps.

    The list is changed in the very step that makes a session, so that none is missing from it; those that have ended
    are told by their rows, and leave the list when the next is added.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._vault = rows.vault
        self.lists = rows.vault.lists
        self.guards = rows.vault.guards

    def adding(self, user_id: str, key: bytes, ends_us: int, now_us: int, left: bytes | None) -> Steps[Swap]:
        """The swap that puts a session into its user's list, in place of ``left``.

        If there are too many, those that were not used for the longest time are ended first.
        """
        newest, *_ = self.lists(user_id)
        [blob] = yield getting([newest])
        opened = self._rows.opened_list(newest, blob)
        if opened is None:
            yield dropping([newest])
        revision, entries = opened or (0, [])
        entries = [entry for entry in entries if entry.ends_us > now_us and entry.row != left]
        room = self._rows.limits.sessions - 1
        if len(entries) > room:
            live = yield from self._live(user_id, entries)
            by_use = sorted(live, key=lambda row: live[row].touched_us, reverse=True)
            if by_use[room:]:
                yield dropping(by_use[room:])
            entries = [entry for entry in entries if entry.row in by_use[:room]]
        return self._rows.update_list(newest, revision, [*entries, Entry(key, ends_us)])

    def devices(self, user_id: str, current: Session[Any] | None) -> Steps[list[Device]]:
        """The user's live sessions, the last used first."""
        row = None if current is None else Draft(current).row
        live = yield from self._live(user_id, (yield from self._entries(user_id)))
        shown = [device(key, record, None if row is None else row.key) for key, record in live.items()]
        return sorted(shown, key=lambda each: each.last_seen_at, reverse=True)

    def revoke(self, user_id: str, name: str) -> Steps[bool]:
        """End the session of that device; whether there was one."""
        entries = yield from self._entries(user_id)
        rows = [entry.row for entry in entries if device_id(entry.row) == name]
        if not rows:
            return False
        ended = bool((yield dropping(rows)))
        if ended:
            tell_ended("one", user_id, device=name)
        return ended

    def revoke_all(self, user_id: str) -> Steps[None]:
        """End every session of a user, whatever is in flight: none has the generation they get now."""
        guards = self.guards(user_id)
        yield lambda port: port.store.run(INVALIDATE, guards, [self._rows.limits.guard_ms])
        tell_ended("all of a user", user_id)

    def revoke_everyone(self) -> Steps[int]:
        """End every session of the namespace: what is in flight finds its row gone."""
        prefix = self._vault.all_rows
        count = int((yield lambda port: port.store.clear(prefix)))
        tell_ended("all of everybody")
        return count

    def revoke_others(self, session: Session[Any]) -> Steps[None]:
        """End every session of the user but this one, whatever is in flight: it alone gets the new generation."""
        draft = Draft(session)
        row = draft.row
        if row is None or row.record.user_id is None or row.record.moved is not None:
            raise UsageError(
                "expected the stored session of a user, to end all their others: login() and save() come first"
            )
        guards = self.guards(row.record.user_id)
        failures = 0
        while True:
            [blob, *numbers] = yield getting([row.key, *guards])
            opened = self._rows.opened(row.key, blob)
            if opened is None or opened[1].moved is not None:
                raise UsageError("this session has ended meanwhile, so that it can end no others")
            revision, record = opened
            now = yield from store_time()
            generation = max([now, *((policy.generation(number) or 0) + 1 for number in numbers)])
            renewed = row._replace(revision=revision + 1, record=record._replace(generation=generation))
            text = b"%d" % generation
            limit = self._rows.limits.guard_ms
            swaps = [Swap(guard, number or b"", text, limit) for guard, number in zip(guards, numbers, strict=True)]
            kept, *_ = yield swapping([self._rows.update(row.key, revision, renewed.record), *swaps])
            if kept:
                draft.replaced(renewed)
                tell_ended("all others of a user", row.record.user_id)
                return
            failures += 1
            yield from pause(failures)

    def _entries(self, user_id: str) -> Steps[list[Entry]]:
        keys = self.lists(user_id)
        blobs = yield getting(keys)
        lists = [self._rows.opened_list(key, blob) for key, blob in zip(keys, blobs, strict=True)]
        return [entry for found in lists if found is not None for entry in found[1]]

    def _live(self, user_id: str, entries: list[Entry]) -> Steps[dict[bytes, Record]]:
        """Which of the listed sessions are there, under a generation that counts, and were not left for another."""
        keys = list(dict.fromkeys(entry.row for entry in entries))
        guards = self.guards(user_id)
        found = yield getting([*guards, *keys])
        generations = {policy.generation(number) for number in found[: len(guards)]}
        live = {}
        for key, blob in zip(keys, found[len(guards) :], strict=True):
            opened = self._rows.opened(key, blob)
            if opened is not None and opened[1].moved is None and opened[1].generation in generations:
                live[key] = opened[1]
        return live
