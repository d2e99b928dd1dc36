"""What the shop answers."""

from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from . import cached
from .jobs import confirm, queue
from .models import Order


@require_POST
@transaction.atomic
def order(request: HttpRequest) -> JsonResponse:
    made = Order.objects.create(email=request.POST["email"], poster=request.POST["poster"])
    transaction.on_commit(lambda: queue().enqueue(confirm.call(made.pk)), robust=True)
    transaction.on_commit(lambda: cached.cache().invalidate("orders"), robust=True)
    return JsonResponse({"id": made.pk}, status=201)


def best(request: HttpRequest) -> JsonResponse:
    found = cached.cache().get_or_set("best", _best, fresh=60, stale=600, tags=["orders"])
    return JsonResponse({"best": found})


def _best() -> list[str]:
    sold = Order.objects.values_list("poster").annotate(Count("pk")).order_by("-pk__count")
    return [poster for poster, _ in sold[:10]]
