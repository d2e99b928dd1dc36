"""The async face of :mod:`.validator`: the same names, with the database asked on a lane of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._steps import adrive
from ..errors import UniqueViolation
from .checking import Checking
from .database_rules.nodes import Found
from .interface import InputLimits
from .messages import Catalogue

if TYPE_CHECKING:
    from .database_rules.queries import Refused

T = TypeVar("T")


class AsyncValidator(Generic[T]):
    """:class:`.Validator` for asyncio: ``validator.aio``. What needs no database runs in the caller's own thread."""

    def __init__(self, checking: Checking[T]) -> None:
        self._checking = checking
        self._port = _Port(checking.database)

    @property
    def locales(self) -> tuple[str, ...]:
        """:attr:`.Validator.locales`."""
        return self._checking.catalogues.locales

    @property
    def limits(self) -> InputLimits:
        """:attr:`.Validator.limits`."""
        return self._checking.limits

    def catalogue(self, locale: str | None = None) -> Catalogue:
        """:meth:`.Validator.catalogue`."""
        return self._checking.told_in(locale)

    async def validate(self, data: object, *, groups: Collection[str] = (), locale: str | None = None) -> T:
        """:meth:`.Validator.validate`."""
        return await adrive(self._checking.data(data, groups, locale), self._port)

    async def validate_json(self, body: bytes, *, groups: Collection[str] = (), locale: str | None = None) -> T:
        """:meth:`.Validator.validate_json`."""
        return await adrive(self._checking.json(body, groups, locale), self._port)

    async def validate_form(
        self, pairs: Iterable[tuple[str, object]], *, groups: Collection[str] = (), locale: str | None = None
    ) -> T:
        """:meth:`.Validator.validate_form`."""
        return await adrive(self._checking.form(pairs, groups, locale), self._port)

    @asynccontextmanager
    async def refusing(self, value: T, *, locale: str | None = None) -> AsyncIterator[None]:
        """:meth:`.Validator.refusing`."""
        try:
            yield
        except UniqueViolation as violation:
            failed = await adrive(self._checking.refusal(value, violation, locale), self._port)
            if failed is None:
                raise
            raise failed from None  # the driver's error may quote what was sent


class _Port:
    """The database of this face."""

    def __init__(self, database: Any) -> None:
        self._database = database

    async def ask(self, found: list[Found]) -> list[Refused]:
        from .database_rules.queries import refused

        async with self._database.aio.read() as tx:
            refusals: list[Refused] = await tx.run(refused, found)
        return refusals
