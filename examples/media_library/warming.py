"""What is computed before anybody asks: the first pages and the statistics of those who were here last.

``postrmagic cache warm --app media_library.worker:stack`` runs it, after a deployment for example.
"""

from __future__ import annotations

from postrmagic_core.cache import CacheManager

from .library import Library
from .listings import MEDIA
from .pages import Pages

FIRST = MEDIA.Query()


def register(cache: CacheManager, library: Library, pages: Pages) -> None:
    """Have ``cache`` know the library's warmers."""

    @cache.warmer("lists")
    def lists(_: CacheManager) -> None:
        for user_id in library.lately_active():
            pages.of(user_id, library.ask(user_id, FIRST))

    # The page shows the pictures first, so they are warm first, should the time not suffice for both.
    @cache.warmer("stats", after=["lists"])
    def stats(_: CacheManager) -> None:
        for user_id in library.lately_active():
            library.stats(user_id)
