"""What the shop promises."""

from django.core import mail
from django.test import TestCase

from .models import Order


class Orders(TestCase):
    def test_an_order_is_kept_and_confirmed(self) -> None:
        answer = self.client.post("/orders", {"email": "ann@example.org", "poster": "Gala"})
        self.assertEqual(answer.status_code, 201)
        self.assertIsNotNone(Order.objects.get().confirmed_at)
        self.assertEqual([message.to for message in mail.outbox], [["ann@example.org"]])

    def test_the_best_come_first(self) -> None:
        for poster in ("Gala", "Fair", "Gala"):
            self.client.post("/orders", {"email": "ann@example.org", "poster": poster})
        self.assertEqual(self.client.get("/best").json(), {"best": ["Gala", "Fair"]})
