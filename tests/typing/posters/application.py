# pyright: strict
"""Operations, on both faces: one transaction carries a row, its event, its job and the end of what was cached."""

from __future__ import annotations

from typing import assert_type

from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select

from postrmagic_core import Stack
from postrmagic_core.settings import Settings

from .events import PosterUploaded
from .tasks import make_thumbnail

metadata = MetaData()
posters = Table("posters", metadata, Column("id", Integer, primary_key=True), Column("title", String(200)))


def make_stack(settings: Settings | None = None) -> Stack:
    """Everything, wired."""
    stack = Stack.from_env() if settings is None else Stack(settings)
    stack.include("tests.typing.posters.events", "tests.typing.posters.tasks")
    return stack


class Posters:
    """What users do."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def upload(self, title: str) -> int:
        """Put a poster there; all of it happens or none."""
        with self._stack.database.write() as tx:
            poster_id: int = tx.execute(insert(posters).values(title=title).returning(posters.c.id)).scalar_one()
            self._stack.events.emit(PosterUploaded(poster_id=poster_id, title=title), tx=tx)
            self._stack.jobs.enqueue(make_thumbnail.call(poster_id), tx=tx)
            self._stack.cache.invalidate("posters", tx=tx)
        return poster_id

    async def upload_async(self, title: str) -> int:
        """Do the same from a coroutine."""
        async with self._stack.database.aio.write() as tx:
            poster_id: int = (
                await tx.execute(insert(posters).values(title=title).returning(posters.c.id))
            ).scalar_one()
            await self._stack.events.aio.emit(PosterUploaded(poster_id=poster_id, title=title), tx=tx)
            await self._stack.jobs.aio.enqueue(make_thumbnail.call(poster_id), tx=tx)
            await self._stack.cache.aio.invalidate("posters", tx=tx)
        return poster_id

    def titles(self) -> list[str]:
        """All of them, from the cache for a minute."""
        found = self._stack.cache.get_or_set("titles", self._read, fresh=60, stale=600, tags=["posters"])
        assert_type(found, list[str])
        return found

    async def titles_async(self) -> list[str]:
        """All of them, read by a coroutine."""
        found = await self._stack.cache.aio.get_or_set("titles", self._read_async, fresh=60, tags=["posters"])
        assert_type(found, list[str])
        return found

    def _read(self) -> list[str]:
        with self._stack.database.read() as tx:
            return list(tx.execute(select(posters.c.title)).scalars())

    async def _read_async(self) -> list[str]:
        async with self._stack.database.aio.read() as tx:
            return list((await tx.execute(select(posters.c.title))).scalars())
