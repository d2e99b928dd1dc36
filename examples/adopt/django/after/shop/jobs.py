"""What the shop does later: its tasks, and the queue that keeps them."""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.db import close_old_connections
from django.utils import timezone
from postrmagic_core.database import DatabaseManager
from postrmagic_core.jobs import JobContext, JobQueue, Unique, every, task

from .models import Order

database = DatabaseManager(settings.JOBS_URL)  # neither line connects to anything
_queue = JobQueue(settings.JOBS_URL, database=database)


@task(name="shop.confirm", retries=8, unique=Unique())
def confirm(ctx: JobContext, order: int) -> None:
    """Confirm an order. It may run twice, so Django's own row says whether it is done."""
    waiting = Order.objects.filter(pk=order, confirmed_at=None).first()
    if waiting is not None:
        send_mail("Your order", f"{waiting.poster} is on its way.", None, [waiting.email])
        waiting.confirmed_at = timezone.now()
        waiting.save(update_fields=["confirmed_at"])


@task(name="shop.catch_up", unique=Unique())
def catch_up(ctx: JobContext) -> int:
    """Enqueue what nobody did: a process may die between Django's commit and enqueue()."""
    forgotten = Order.objects.filter(confirmed_at=None, created_at__lt=timezone.now() - timedelta(minutes=1))
    return len(ctx.jobs.enqueue_many([confirm.call(pk) for pk in forgotten.values_list("pk", flat=True)]))


_queue.include(confirm, catch_up, every(300, catch_up.call()))


def queue() -> JobQueue:
    """The queue, open: each process opens its own when it first needs it, after a server has forked."""
    if not _queue.is_open:
        database.open()
        _queue.open()
    return _queue


@atexit.register
def close() -> None:
    """Give back what :func:`queue` opened."""
    _queue.close()
    database.close()


@contextmanager
def connections_of_django(_: JobContext) -> Iterator[None]:
    """Django looks after a thread's connection between two requests; a worker's threads have none, but jobs."""
    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()
