"""The notes as a Django project."""

from __future__ import annotations

from typing import Any

from postrmagic_core.integrations import django
from tests.integrations.notes import API, PIPELINE

edge = django.Edge(PIPELINE)
urlpatterns: list[Any] = django.urlpatterns(API)
