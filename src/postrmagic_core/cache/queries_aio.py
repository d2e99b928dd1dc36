"""AsyncQueryCache: the same query results for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from .interface import Committing
from .shapes import MAPPINGS, ROWS, SCALAR, SCALARS, Options, Parameters, Question

if TYPE_CHECKING:
    from sqlalchemy.sql import Executable

    from .queries import QueryCache


class AsyncQueryCache:
    """The async face of a :class:`QueryCache`: the same entries, the same promises."""

    def __init__(self, queries: QueryCache) -> None:
        self._queries = queries

    async def rows(self, statement: Executable, parameters: Parameters = None, **options: Unpack[Options]) -> list[Any]:
        """See :meth:`QueryCache.rows`."""
        return await self._answer(self._queries.question(ROWS, statement, parameters, **options))  # type: ignore[no-any-return]  # a shape's value

    async def mappings(
        self, statement: Executable, parameters: Parameters = None, **options: Unpack[Options]
    ) -> list[Any]:
        """See :meth:`QueryCache.mappings`."""
        return await self._answer(self._queries.question(MAPPINGS, statement, parameters, **options))  # type: ignore[no-any-return]  # as above

    async def scalars(
        self, statement: Executable, parameters: Parameters = None, **options: Unpack[Options]
    ) -> list[Any]:
        """See :meth:`QueryCache.scalars`."""
        return await self._answer(self._queries.question(SCALARS, statement, parameters, **options))  # type: ignore[no-any-return]  # as above

    async def scalar(self, statement: Executable, parameters: Parameters = None, **options: Unpack[Options]) -> Any:
        """See :meth:`QueryCache.scalar`."""
        return await self._answer(self._queries.question(SCALAR, statement, parameters, **options))

    async def invalidate(self, *tables: str, tx: Committing | None = None, detached: bool = False) -> None:
        """See :meth:`QueryCache.invalidate`."""
        await self._queries.cache.aio.invalidate(*self._queries.tags(tables), tx=tx, detached=detached)

    async def _answer(self, question: Question) -> Any:
        queries = self._queries

        async def compute() -> Any:
            async with queries.database.aio.read() as tx:
                return await tx.run(question.answer)  # read and made on the unit's thread

        if queries.database.current() is not None:
            return await compute()
        return await queries.cache.aio.get_or_set(question.key, compute, **question.keeping)
