"""What the shop promises."""

from datetime import timedelta
from unittest.mock import patch

from django.core import mail
from django.test import TestCase
from django.utils import timezone
from postrmagic_core.errors import BackendUnavailable
from postrmagic_core.jobs import JobQueue

from .cached import cache
from .jobs import catch_up, confirm, database, queue
from .models import Order


class Orders(TestCase):
    def setUp(self) -> None:
        cache().clear()
        queue().cancel(*[job.id for job in queue().find({"queued"})])

    def order(self, poster: str = "Gala") -> None:
        with self.captureOnCommitCallbacks(execute=True):
            self.client.post("/orders", {"email": "ann@example.org", "poster": poster})

    def waiting(self) -> list[str]:
        return [job.task for job in queue().find({"queued"})]

    def test_an_order_is_kept_and_its_confirmation_waits(self) -> None:
        self.order()
        self.assertIsNone(Order.objects.get().confirmed_at)
        self.assertEqual(self.waiting(), ["shop.confirm"])

    def test_an_order_that_is_rolled_back_leaves_no_job(self) -> None:
        with self.captureOnCommitCallbacks() as callbacks:
            self.client.post("/orders", {"email": "ann@example.org", "poster": "Gala"})
        self.assertEqual(len(callbacks), 2)  # nobody called them: Django has not committed
        self.assertEqual(self.waiting(), [])

    def test_a_confirmation_is_sent_once(self) -> None:
        made = Order.objects.create(email="ann@example.org", poster="Gala")
        for _ in range(2):
            confirm(None, made.pk)  # a task called is a function
        self.assertEqual(len(mail.outbox), 1)

    def test_a_queue_that_is_away_loses_no_order(self) -> None:
        away = patch("shop.jobs.JobQueue.enqueue", side_effect=BackendUnavailable("away"))
        with away, self.assertLogs("django", "ERROR"):
            self.order()
        Order.objects.update(created_at=timezone.now() - timedelta(minutes=2))
        catch_up(Context())
        self.assertEqual(self.waiting(), ["shop.confirm"])

    def test_what_waits_already_is_not_enqueued_again(self) -> None:
        self.order()
        Order.objects.update(created_at=timezone.now() - timedelta(minutes=2))
        catch_up(Context())
        self.assertEqual(self.waiting(), ["shop.confirm"])

    def test_the_best_are_those_of_the_last_commit(self) -> None:
        self.order("Fair")
        self.assertEqual(self.client.get("/best").json(), {"best": ["Fair"]})
        for _ in range(2):
            self.order("Gala")
        self.assertEqual(self.client.get("/best").json(), {"best": ["Gala", "Fair"]})

    def test_the_tables_of_the_queue_are_made_by_migrate(self) -> None:
        self.assertTrue(database.schema_current())


class Context:
    """What :func:`catch_up` uses of a job's context."""

    @property
    def jobs(self) -> JobQueue:
        return queue()
