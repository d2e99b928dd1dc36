"""The cache alone: computed once, served until its tag is invalidated, the same by either face."""

import asyncio

from postrmagic_core.cache import CacheManager
from postrmagic_core.stores import open_store


def posters() -> list[str]:
    print("reading the posters")
    return ["Gala", "Fair"]


store = open_store("sqlite:///kv.db")
with CacheManager(store, namespace="site") as cache:
    for _ in range(2):
        print(cache.get_or_set("posters", posters, fresh=60, stale=600, tags=["posters"]))
    cache.invalidate("posters")
    print(asyncio.run(cache.aio.get_or_set("posters", posters, fresh=60, tags=["posters"])))
    print(cache.stats())
store.close()
