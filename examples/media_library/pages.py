"""Pages of a user's media as they are sent: made once, and kept until the user's media change."""

from __future__ import annotations

from postrmagic_core.api.envelope import Page
from postrmagic_core.api.listing import ListRequest
from postrmagic_core.api.prepared import Prepared, PreparedReply
from postrmagic_core.cache import CacheManager

from .answers import Medium
from .library import KEPT, Library

_PAGES = Prepared(Page[Medium])


class Pages:
    """The answers to who lists media; ``of`` is ``_of``, answered from the cache."""

    def __init__(self, library: Library, cache: CacheManager) -> None:
        self._library = library
        self.of = cache.cached(f"list:{_PAGES.shape}:{{user_id}}:{{asked.key}}", **KEPT)(self._of)

    def _of(self, user_id: int, asked: ListRequest) -> tuple[bytes, str]:
        page = self._library.page(user_id, asked)
        return _PAGES.keep({"data": page["items"], "next": page["next"]})

    def reply(self, user_id: int, asked: ListRequest) -> PreparedReply:
        """The page that was asked for; a search, which nobody repeats before long, is not kept."""
        page = self.of.compute if asked.values.get("q") else self.of
        return _PAGES.reply(page(user_id, asked))
