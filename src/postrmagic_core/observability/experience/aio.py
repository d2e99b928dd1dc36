"""AsyncExperience: the same names for asyncio; awaitable but for what only notes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from .interface import Adoption, Survey, Week

if TYPE_CHECKING:
    from ...events import Event, Listener
    from .manager import Experience

R = TypeVar("R")
E = TypeVar("E", bound="Event")


class AsyncExperience:
    """The async face of :class:`Experience`."""

    def __init__(self, experience: Experience) -> None:
        self._experience = experience

    def timing(self, page: str, **figures: float) -> None:
        """See :meth:`Experience.timing`: nothing is waited for."""
        self._experience.timing(page, **figures)

    def use(self, feature: str, user: object = None) -> None:
        """See :meth:`Experience.use`: nothing is waited for."""
        self._experience.use(feature, user)

    def count(self, event_type: type[E], *, feature: str, user: Callable[[E], object]) -> Listener[E]:
        """See :meth:`Experience.count`."""
        return self._experience.count(event_type, feature=feature, user=user)

    async def flush(self) -> bool:
        """See :meth:`Experience.flush`."""
        return await self._lift(self._experience.flush)

    async def adoption(self, since: datetime, until: datetime | None = None) -> list[Adoption]:
        """See :meth:`Experience.adoption`."""
        return await self._lift(lambda: self._experience.adoption(since, until))

    async def weeks(self, feature: str, *, weeks: int = 12) -> list[Week]:
        """See :meth:`Experience.weeks`."""
        return await self._lift(lambda: self._experience.weeks(feature, weeks=weeks))

    async def asks(self, question: str, who: str = "") -> bool:
        """See :meth:`Experience.asks`."""
        return await self._lift(lambda: self._experience.asks(question, who))

    async def answer(self, question: str, score: int, comment: str = "", *, who: str = "") -> bool:
        """See :meth:`Experience.answer`."""
        return await self._lift(lambda: self._experience.answer(question, score, comment, who=who))

    async def survey(self, question: str, *, since: datetime | None = None, comments: int = 20) -> Survey:
        """See :meth:`Experience.survey`."""
        return await self._lift(partial(self._experience.survey, question, since=since, comments=comments))

    async def questions(self) -> list[str]:
        """See :meth:`Experience.questions`."""
        return await self._lift(self._experience.questions)

    async def sweep(self) -> int:
        """See :meth:`Experience.sweep`."""
        return await self._lift(self._experience.sweep)

    async def _lift(self, call: Callable[[], R]) -> R:
        return await self._experience.bridge.lift(call)
