"""One transaction's deliveries: each in a savepoint of its own, all settled together."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from . import claims, policy
from .claims import Claimed
from .interface import Deliver, OutboxRow
from .unit import Unit


@dataclass(frozen=True, slots=True)
class Failure:
    """A delivery that failed: why, and when it is tried again (microseconds; ``None``: the row is dead)."""

    row: OutboxRow
    cause: Exception
    due_us: int | None

    @classmethod
    def now(cls, row: OutboxRow, cause: Exception, now_us: int) -> Failure:
        """A failure of this instant."""
        due_us = policy.next_due_us(cause, row.attempts + 1, now_us, random.random())  # noqa: S311 - spreads load
        return cls(row, cause, due_us)

    def note(self, connection: Connection) -> None:
        """Write it to the row, whose key is locked and then to be moved on."""
        claims.postpone(connection, self.row, self.due_us, policy.error_name(self.cause))


class Batch:
    """Rows that one transaction claimed; of one that was undone only ``claimed`` and ``under_way`` still say something.

    ``left`` rows were claimed and not tried; ``untouched`` are ids, and keys, of which none was.
    """

    def __init__(self, routes: Mapping[str, Deliver]) -> None:
        self._routes = routes
        self.claimed = Claimed()
        self.delivered: list[OutboxRow] = []
        self.failures: list[Failure] = []
        self.left = 0
        self.untouched: set[int | str] = set()
        self.under_way = False

    @property
    def tried(self) -> int:
        """How many rows were handed over, in vain or not."""
        return len(self.delivered) + len(self.failures)

    def deliver(self, tx: Unit, claimed: Claimed, late: Callable[[], bool]) -> None:
        """Hand the rows over, the first one in any case, until it is ``late``; a failed row holds up its key."""
        self.claimed = claimed
        blocked: set[str] = set()
        self.untouched = {_name(row) for row in claimed.rows} | claimed.beyond
        for row in claimed.rows:
            if row.key in blocked:
                continue
            if self.tried and late():
                self.left += 1
                continue
            self.untouched.discard(_name(row))
            if not self._hand_over(tx, row) and row.key is not None:
                blocked.add(row.key)

    def settle(self, connection: Connection) -> None:
        """Delete what was delivered, note what failed, and let the keys move on."""
        claims.delete(connection, [row.id for row in self.delivered])
        for failure in self.failures:
            failure.note(connection)
        tried = (*self.delivered, *(failure.row for failure in self.failures))
        claims.move_on(connection, self.claimed.idle | {row.key for row in tried if row.key is not None})

    def _hand_over(self, tx: Unit, row: OutboxRow) -> bool:
        self.under_way = True
        try:
            with tx.savepoint():
                self._routes[row.topic](tx, row)
        except Exception as error:
            if _ended(tx):
                raise  # and with it the deliveries before
            self.failures.append(Failure.now(row, error, tx.now_us))
            delivered = False
        else:
            self.delivered.append(row)
            delivered = True
        self.under_way = False
        return delivered


def _name(row: OutboxRow) -> int | str:
    return row.id if row.key is None else row.key


def _ended(tx: Unit) -> bool:
    """Whether the transaction cannot go on: broken by the server, or ended by a route, to whom it does not belong."""
    return tx.failed or not tx.connection.in_transaction() or tx.session.in_nested_transaction()
