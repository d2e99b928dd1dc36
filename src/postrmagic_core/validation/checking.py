"""How an input is checked, written once for both faces: read, then asked about, for each phase of the call's groups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

from .._steps import Steps, drive
from ..errors import UniqueViolation, ValidationFailed
from .catalogues import Catalogues
from .database_rules.asking import Port, asking
from .fast_path import fast_path
from .groups import groups_of, phases
from .interface import InputLimits
from .messages import Catalogue
from .reading import Context, Reading

if TYPE_CHECKING:
    from ..database import DatabaseManager

T = TypeVar("T")
NO_GROUPS: Context = MappingProxyType({"groups": frozenset[str]()})


class Checking(Generic[T]):
    """The procedures of one validator, to be driven with :attr:`port` or its like. Immutable."""

    def __init__(
        self, model: type[T], limits: InputLimits, catalogues: Catalogues, locale: str, database: DatabaseManager | None
    ) -> None:
        self.catalogues = catalogues
        self.messages = catalogues.of(locale)
        self.reading = Reading(model, limits)
        self._asking = asking(model, database)
        self._groups = groups_of(model)
        self.database = database
        self.port = Port(database)
        self.limits = limits

    def data(self, data: object, groups: Collection[str], locale: str | None) -> Steps[T]:
        """Python data."""
        messages = self.told_in(locale)
        return self._phases(lambda context: self.reading.data(data, context, messages), data, groups, messages)

    def short(self) -> Callable[[object], T]:
        """The check of Python data without groups, in the validator's own locale, for the sync face."""

        def asked(data: object) -> T:
            return drive(self.data(data, (), None), self.port)

        def plain(data: object) -> T:
            return self.reading.data(data, NO_GROUPS, self.messages)

        if self._asking is not None:
            return asked
        return fast_path(self.reading.adapter, self.limits, NO_GROUPS, plain)

    def json(self, body: bytes, groups: Collection[str], locale: str | None) -> Steps[T]:
        """A JSON text."""
        messages = self.told_in(locale)
        data = self.reading.parsed(body, messages)
        return self._phases(lambda context: self.reading.json(body, data, context, messages), data, groups, messages)

    def form(self, pairs: Iterable[tuple[str, object]], groups: Collection[str], locale: str | None) -> Steps[T]:
        """The pairs of a form."""
        messages = self.told_in(locale)
        data, wrong = self.reading.collected(pairs, messages)
        return self._phases(lambda context: self.reading.form(data, wrong, context, messages), data, groups, messages)

    def refusal(self, value: T, violation: UniqueViolation, locale: str | None) -> Steps[ValidationFailed | None]:
        """The error that a check would have raised; ``None`` for a constraint that no rule speaks of."""
        if self._asking is None:
            return None
        return (yield from self._asking.refusal(value, violation, self.told_in(locale)))

    def _phases(
        self, read: Callable[[Context], T], data: object, groups: Collection[str], messages: Catalogue
    ) -> Steps[T]:
        *earlier, last = phases(groups, self._groups)
        for phase in earlier:
            yield from self._phase(read, data, phase, messages)
        return (yield from self._phase(read, data, last, messages))

    def _phase(
        self, read: Callable[[Context], T], data: object, groups: frozenset[str], messages: Catalogue
    ) -> Steps[T]:
        value = read({"groups": groups})
        if self._asking is not None:
            yield from self._asking.checking(value, data, groups, messages)
        return value

    def told_in(self, locale: str | None) -> Catalogue:
        """The texts of ``locale``, or of the validator's own."""
        return self.messages if locale is None else self.catalogues.of(locale)
