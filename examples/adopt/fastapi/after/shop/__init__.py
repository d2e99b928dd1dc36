"""A shop for posters with an engine of its own, and a cache that its processes share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from fastapi import Body, FastAPI
from fastapi.concurrency import run_in_threadpool
from postrmagic_core.cache import CacheManager
from postrmagic_core.stores import open_store
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from .models import Base, Order, best


def create_app(url: str, cached: str) -> FastAPI:
    engine = create_engine(url)
    store = open_store(cached)  # connects to nothing yet
    cache = CacheManager(store, namespace="shop")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        Base.metadata.create_all(engine)
        with closing(store):
            async with cache:
                yield
        engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.get("/best")
    async def show_best() -> list[str]:
        return await cache.aio.get_or_set("best", lambda: best(engine), fresh=60, stale=600, tags=["orders"])

    @app.post("/orders", status_code=201)
    async def order(poster: str = Body(embed=True)) -> dict[str, int]:
        number = await run_in_threadpool(keep, poster)
        await cache.aio.invalidate("orders")  # after the commit, never before
        return {"id": number}

    def keep(poster: str) -> int:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            session.add(made := Order(poster=poster))
        return made.id

    return app
