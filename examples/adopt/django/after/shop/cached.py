"""What the shop need not compute anew."""

import atexit

from django.conf import settings
from postrmagic_core.cache import CacheManager
from postrmagic_core.stores import open_store

_store = open_store(settings.CACHED_URL)
_cache = CacheManager(_store, namespace="shop")


def cache() -> CacheManager:
    """The cache, open: each process opens its own when it first needs it."""
    return _cache.open()


@atexit.register
def close() -> None:
    """Give back what :func:`cache` opened."""
    _cache.close()
    _store.close()
