"""The shop as an application of Django's."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ShopConfig(AppConfig):
    name = "shop"

    def ready(self) -> None:
        # This runs in every process, before a server forks: nothing is opened here.
        post_migrate.connect(_migrate_jobs, sender=self)


def _migrate_jobs(**_: Any) -> None:
    from .jobs import database

    with database:
        database.upgrade()
