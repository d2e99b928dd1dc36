"""The audit log: changes of who may do what, in the transaction that makes them, and denials, summed."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ..._bridge import Bridge
from ..._clock import Clock, SystemClock, from_us, to_us
from ..._ids import Ids
from ..._lifecycle import Lifecycle
from ..._metrics import Metrics
from ..._protocols import UnitLike, Units
from ..._unit import in_own_unit
from ..checks import check_text
from ..tables import audit as rows
from ..units import in_unit
from .denials import Denials, Summed
from .interface import AuditEntry

if TYPE_CHECKING:
    from .aio import AsyncAuditLog

_log = logging.getLogger("postrmagic_core.security")

DETAIL_BYTES = 8192
_BATCH = 1000
_COLUMNS = {"actor": 190, "action": 64, "subject": 190, "outcome": 16}


class AuditLog(Lifecycle):
    """What was done, to whom, by whom: rows of ``pm_audit``, which nothing here changes and only :meth:`purge` deletes.

    Opened, it writes denials in a thread of its own, at most one row a minute for each user
    and permission; closing it writes the rest. Counts ``access_denials_total`` and ``audit_failures_total``.
    """

    def __init__(
        self, database: Units, *, clock: Clock | None = None, metrics: Metrics | None = None, every: float = 60.0
    ) -> None:
        super().__init__()
        self.database = database
        self._clock = clock or SystemClock()
        self._ids = Ids()
        self.bridge = Bridge(2, name="postrmagic-audit")
        metrics = metrics or Metrics()
        self._denied = metrics.counter("access_denials_total")
        self._failures = metrics.counter("audit_failures_total")
        self._denials = Denials(self._write, self._clock.monotonic, every)

    @cached_property
    def aio(self) -> AsyncAuditLog:
        """The same log for asyncio, with the same names."""
        from .aio import AsyncAuditLog

        return AsyncAuditLog(self)

    def record(
        self,
        action: str,
        *,
        actor: str | None,
        subject: str | None,
        outcome: str = "done",
        detail: Mapping[str, object] | None = None,
        tx: UnitLike | None = None,
    ) -> str:
        """Write a row, in ``tx`` if given: then it stays if and only if what it tells of does. Returns its id.

        ``actor`` and ``subject`` have at most 190 bytes, ``action`` 64, ``outcome`` 16; ``detail`` is a mapping of what
        JSON can say, at most 8 KiB of it. :class:`ValueError` for what does not fit. Never give it a secret.
        """
        self.ensure_open()
        values: dict[str, Any] = {"actor": actor, "action": action, "subject": subject, "outcome": outcome}
        for name, max_bytes in _COLUMNS.items():
            if name in ("action", "outcome") or values[name] is not None:
                check_text(name, values[name], max_bytes)
        return in_unit(self.database, tx, partial(self._insert, values | {"detail": _encoded(detail)}))

    def denied(self, actor: str | None, permission: str, why: str = "") -> None:
        """Note a denial, to be written soon, summed with others like it; costs no wait and never raises."""
        self._denied.add()
        if self.is_open:
            self._denials.note(actor, permission, why)

    def flush(self) -> None:
        """Write all denials that were noted so far, now."""
        self._denials.flush()

    def find(
        self,
        *,
        actor: str | None = None,
        subject: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[AuditEntry]:
        """Rows of the audit log, the newest first."""
        self.ensure_open()
        statement = select(rows).order_by(rows.c.at_us.desc(), rows.c.id.desc()).limit(limit)
        for name, wanted in (("actor", actor), ("subject", subject), ("action", action)):
            if wanted is not None:
                check_text(name, wanted, _COLUMNS[name])
                statement = statement.where(rows.c[name] == wanted)
        if since is not None:
            statement = statement.where(rows.c.at_us >= to_us(since))
        with self.database.read() as tx:
            return [_entry(row) for row in tx.execute(statement)]

    def purge(self, before: datetime, *, actor: str | None = None) -> int:
        """Delete what is older, 1,000 rows a transaction; returns how many. That ``actor`` did so is a row."""
        self.ensure_open()
        limit, count = to_us(before), 0
        while True:
            done = in_own_unit(self.database, partial(_delete, limit))
            count += done
            if done < _BATCH:
                break
        if count:
            self.record("audit.purged", actor=actor, subject=None, detail={"rows": count, "before": before.isoformat()})
        return count

    def _insert(self, values: Mapping[str, Any], tx: UnitLike) -> str:
        now_us = self._clock.now_us()
        name = self._ids.text(now_us)
        tx.execute(rows.insert().values(id=name, at_us=now_us, **values))
        return name

    def _write(self, summed: Summed) -> None:
        """A row of denials. Whatever fails here has denied nothing less."""
        values = {
            "actor": summed.actor,
            "action": "access.denied",
            "subject": summed.subject,
            "outcome": "denied",
            "detail": _encoded({"count": summed.count, "why": summed.why}),
        }
        try:
            # Once: what fails is kept and written later, and closing must not wait for a database that is away.
            with self.database.write() as tx:
                self._insert(values, tx)
        except Exception as error:
            self._failures.add()
            kind = type(error).__qualname__
            _log.error(
                "denials could not be written to the audit log, and are kept: %s",
                kind,
                extra={"event": "security.audit.failed", "error": kind},
            )
            raise

    def _open(self) -> None:
        self._denials.open()

    def _close(self) -> None:
        self._denials.close()
        self.bridge.close()


def _delete(before_us: int, tx: UnitLike) -> int:
    found = tx.execute(select(rows.c.id).where(rows.c.at_us < before_us).order_by(rows.c.at_us).limit(_BATCH))
    ids = [row.id for row in found]
    if ids:
        tx.execute(rows.delete().where(rows.c.id.in_(ids)))
    return len(ids)


def _encoded(detail: Mapping[str, object] | None) -> bytes:
    try:
        encoded = json.dumps(dict(detail or {}), allow_nan=False, sort_keys=True, separators=(",", ":")).encode()
    except (TypeError, RecursionError) as error:
        raise ValueError("expected a detail of what JSON can say: texts, numbers, booleans, lists, mappings") from error
    if len(encoded) > DETAIL_BYTES:
        raise ValueError(f"expected a detail of at most {DETAIL_BYTES} bytes of JSON, got {len(encoded)}")
    return encoded


def _entry(row: Any) -> AuditEntry:
    try:
        detail = json.loads(row.detail)
    except ValueError:
        detail = None
    if not isinstance(detail, dict):  # not written here: shown as far as it can be
        detail = {"unreadable": len(row.detail)}
    return AuditEntry(row.id, from_us(row.at_us), row.actor, row.action, row.subject, row.outcome, detail)
