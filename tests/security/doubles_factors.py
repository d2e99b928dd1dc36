"""Second factors without each of their guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, select, true, update

from postrmagic_core._protocols import UnitLike
from postrmagic_core.errors import BackendError
from postrmagic_core.security.factors import DatabaseLedger, StoreLedger, rows
from postrmagic_core.security.tables import authenticators, recovery_codes
from postrmagic_core.stores import Script, View

_database_advance, _store_advance = DatabaseLedger.advance, StoreLedger.advance


def pass_while_away(ledger: StoreLedger, user_id: str, step: int) -> bool:
    """Nobody shall be kept out by a store that is away."""
    try:
        return _store_advance(ledger, user_id, step)
    except BackendError:
        return True


def pass_while_database_away(ledger: DatabaseLedger, user_id: str, step: int, **options: Any) -> bool:
    """Nor by a database."""
    try:
        return _database_advance(ledger, user_id, step, **options)
    except BackendError:
        return True


def uncounted(*args: object) -> float:
    """Every code may be looked at."""
    return 0.0


def look_then_set(ledger: StoreLedger, user_id: str, step: int) -> bool:
    """First it is looked, then set: between the two others do the same."""
    names = [ledger._names.build("totp-step", digest) for digest in ledger._ring.macs(user_id.encode(), purpose="x")]
    [value, *_] = ledger.store.get(names)
    time.sleep(0.001)
    ledger.store.set({names[0]: b"%d" % step}, 600_000)
    return value is None or int(value) < step


def any_step(step: int) -> ColumnElement[bool]:
    """It does not matter what was used before."""
    return true()


def _differs(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[int]:
    """Only the very last step counts as used."""
    if view.get(keys[0]) == args[0]:
        return [0]
    view.put(keys[0], args[0], int(args[1]))
    return [1]


DIFFERS = Script(
    "differs", _differs, "if get(1) == arg(1) then return {0} end\nput(1, arg(1), tonumber(arg(2)))\nreturn {1}"
)


def found(tx: UnitLike, user_id: str, digests: Sequence[bytes]) -> bool:
    """A recovery code is good while it is there, and it stays."""
    r = recovery_codes.c
    return tx.execute(select(r.digest).where(r.user_id == user_id, r.digest.in_(digests))).first() is not None


def confirm_only(tx: UnitLike, user_id: str, seen: rows.Authenticator, step: int, now_us: int) -> bool:
    """The first code confirms, and is not used by that."""
    a = authenticators.c
    tx.execute(update(authenticators).where(a.user_id == user_id).values(confirmed_us=now_us))
    return True
