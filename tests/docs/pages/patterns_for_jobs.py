"""A shop: orders, a gateway for payments, mail."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from postrmagic_core.jobs import JobContext, Unique, task
from tests.docs.given import media, opened, orders
from tests.docs.playing import Page

sent: list[tuple[object, str]] = []
indexed: list[str] = []


class CardRefused(Exception):
    """No money."""


@task(name="send_receipt")
def send_receipt(ctx: JobContext, order_id: int) -> None:
    """Send it."""
    sent.append(("receipt", ctx.job_id))


async def find(tx: Any, message_id: int) -> str:
    """The message."""
    assert (await tx.execute(select(1))).scalar() == 1
    return f"message {message_id}"


async def post(message: str, idempotency_key: str) -> None:
    """Send it."""
    sent.append((message, idempotency_key))


def play(page: Page) -> None:
    """Every task that the page shows succeeds in a worker."""
    with opened() as stack:
        db, jobs = stack.database, stack.jobs
        page.names.update(task=task, JobContext=JobContext, Unique=Unique, Decimal=Decimal, CardRefused=CardRefused)
        page.names.update(orders=orders, send_receipt=send_receipt, find=find, post=post, user_id=7, db=db, jobs=jobs)
        page.names["gateway"] = SimpleNamespace(charge=lambda amount, idempotency_key: SimpleNamespace(id="p-1"))
        page.names["change_media"] = lambda tx: tx.execute(media.insert().values(name="Gala"))
        page.names.update(batches=[SimpleNamespace(name="a")], index=lambda batch: indexed.append(batch.name))
        with db.write() as tx:
            tx.execute(orders.insert().values(id=1))
        shown = page.run()
        names = ("charge", "pay", "refresh_statistics", "reindex", "send")
        jobs.include(send_receipt, *(shown[name] for name in names))
        calls = [
            shown["charge"].call(1),
            shown["pay"].call(1, Decimal("9.90")),
            shown["reindex"].call(),
            shown["send"].call(5),
        ]
        handles = [jobs.enqueue(call) for call in calls]
        with jobs.worker(threads=2, queues=["default", "mail"]), db.relay({"jobs": jobs.deliver}):
            assert [handle.wait(timeout=20).state for handle in handles] == ["succeeded"] * 4
        (row,) = db.rows(select(orders))
        assert (row.charged, row.payment, indexed) == (1, "p-1", ["a"])
        assert ("message 5", handles[3].id) in sent
