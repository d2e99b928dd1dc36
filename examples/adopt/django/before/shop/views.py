"""What the shop answers."""

from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from .models import Order


@require_POST
@transaction.atomic
def order(request: HttpRequest) -> JsonResponse:
    made = Order.objects.create(email=request.POST["email"], poster=request.POST["poster"])
    # The customer waits for the mail server, and where that is away the order is gone.
    send_mail("Your order", f"{made.poster} is on its way.", None, [made.email])
    made.confirmed_at = timezone.now()
    made.save()
    return JsonResponse({"id": made.pk}, status=201)


def best(request: HttpRequest) -> JsonResponse:
    sold = Order.objects.values_list("poster").annotate(Count("pk")).order_by("-pk__count")
    return JsonResponse({"best": [poster for poster, _ in sold[:10]]})
