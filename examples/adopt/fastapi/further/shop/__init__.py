"""A shop for posters whose orders are units: what follows from one is committed with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from fastapi import Body, FastAPI
from fastapi.concurrency import run_in_threadpool
from postrmagic_core.cache import CacheManager
from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.stores import open_store
from sqlalchemy import create_engine

from .models import Base, Order, best


def create_app(url: str, cached: str) -> FastAPI:
    engine = create_engine(url)
    store = open_store(cached)
    database = DatabaseManager(url)  # the same database, by connections of its own
    cache = CacheManager(store, namespace="shop", database=database)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        Base.metadata.create_all(engine)
        with closing(store):
            async with database:
                await run_in_threadpool(database.upgrade)  # its tables: pm_…
                async with cache, database.relay({"cache": cache.deliver}):
                    yield
        engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.get("/best")
    async def show_best() -> list[str]:
        return await cache.aio.get_or_set("best", lambda: best(engine), fresh=60, stale=600, tags=["orders"])

    @app.post("/orders", status_code=201)
    async def order(poster: str = Body(embed=True)) -> dict[str, int]:
        return {"id": await database.aio.transact(keep, poster)}

    def keep(tx: Unit, poster: str) -> int:
        tx.session.add(made := Order(poster=poster))  # the models are theirs, as they were
        tx.session.flush()
        cache.invalidate("orders", tx=tx)  # with the commit, or not at all
        return made.id

    return app
