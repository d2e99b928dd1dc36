"""Validation of one model or type, from Python data, JSON or a form, with every problem named at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

from .._steps import drive
from ..errors import UniqueViolation, ValidationFailed
from .catalogues import Catalogues
from .checking import Checking
from .interface import InputLimits
from .messages import Catalogue

if TYPE_CHECKING:
    from ..database import DatabaseManager
    from .aio_validator import AsyncValidator

T = TypeVar("T")
_LIMITS = InputLimits()


class Validator(Generic[T]):
    """Checks input against ``model``: a pydantic model (see :class:`Input`) or any type pydantic knows.

    Build it once and keep it: it is immutable and shared by threads. ``catalogues`` maps further locales to their
    texts by error code; a code missing there is told in English. ``database`` is what :mod:`.database_rules` ask, once
    pydantic found nothing wrong. Raises :class:`ConfigurationError` for a ``locale`` without a catalogue, and for
    database rules without a ``database`` or in a place where they cannot be checked.

    Each method takes the ``groups`` of rules that apply beside those of no group, and the ``locale`` of this call. It
    raises :class:`ValidationFailed` with *all* problems as ``pointer`` (RFC 6901), ``code`` (stable: pydantic's error
    type or ours, which has a dot) and ``message``. None repeats what was sent, but for the names of fields, where
    printable and at most 64 characters. A broken limit, or JSON that is none, is reported alone; so are the problems
    that the database tells. Raises :class:`BackendError` where it cannot be asked.
    """

    def __init__(
        self,
        model: type[T],
        *,
        locale: str = "en",
        limits: InputLimits = _LIMITS,
        catalogues: Mapping[str, Catalogue] | None = None,
        database: DatabaseManager | None = None,
    ) -> None:
        self._checking = Checking(model, limits, Catalogues(catalogues, locale), locale, database)
        self._check = self._checking.short()

    @property
    def locales(self) -> tuple[str, ...]:
        """The locales that errors can be told in, this validator's own first."""
        return self._checking.catalogues.locales

    @property
    def limits(self) -> InputLimits:
        """What one input may cost."""
        return self._checking.limits

    def catalogue(self, locale: str | None = None) -> Catalogue:
        """The texts of ``locale``, or of this validator's own; :class:`ConfigurationError` for one without texts."""
        return self._checking.told_in(locale)

    @property
    def aio(self) -> AsyncValidator[T]:
        """The same validator for asyncio: the same names; the database is asked on a thread of its own."""
        from .aio_validator import AsyncValidator  # asyncio is a fifth of this room's import: only for who uses it

        return AsyncValidator(self._checking)

    def validate(self, data: object, *, groups: Collection[str] = (), locale: str | None = None) -> T:
        """Check Python data: mappings, lists and plain values; ``limits.bytes`` counts its texts and keys."""
        if not groups and locale is None:
            return self._check(data)
        return drive(self._checking.data(data, groups, locale), self._checking.port)

    def validate_json(self, body: bytes, *, groups: Collection[str] = (), locale: str | None = None) -> T:
        """Check a JSON text in UTF-8; size, depth and number of parts are limited before it is parsed.

        Refused, as parsers disagree about them: a name given twice in one object, NaN and infinities (written out or
        by overflow), a byte order mark, other encodings.
        """
        return drive(self._checking.json(body, groups, locale), self._checking.port)

    def validate_form(
        self, pairs: Iterable[tuple[str, object]], *, groups: Collection[str] = (), locale: str | None = None
    ) -> T:
        """Check the (name, text) pairs of an HTML form or a query string, in order, against a model's fields.

        A field of several values (list, tuple, set) collects its texts; any other sent twice is refused. An empty
        text counts as not sent where the field cannot be text. Numbers, dates and booleans are read from their usual
        writing even by strict models; numbers with ``_`` and dates as seconds are refused. A value that is no text
        (an uploaded file) is refused. Raises :class:`UsageError` when this validator's type is no model.
        """
        return drive(self._checking.form(pairs, groups, locale), self._checking.port)

    @contextmanager
    def refusing(self, value: T, *, locale: str | None = None) -> Iterator[None]:
        """In this block, where ``value`` is stored, a unique constraint speaks as its database rule would.

        Of two inputs that are checked before either is stored, the constraint refuses one: the
        :class:`UniqueViolation` that leaves the block becomes the rule's :class:`ValidationFailed`. It passes as it is
        where it belongs to no rule: those are found by the constraint's table and columns, and its name where it has
        one. Put the whole unit into the block: then, of several values, the one that is taken is looked up and named.
        """
        try:
            yield
        except UniqueViolation as violation:
            failed = drive(self._checking.refusal(value, violation, locale), self._checking.port)
            if failed is None:
                raise
            raise failed from None  # the driver's error may quote what was sent


def errors_by_field(error: ValidationFailed) -> dict[str, list[str]]:
    """The messages of ``error`` by top-level field, for showing them beside a form's inputs; ``""`` is the whole."""
    fields: dict[str, list[str]] = {}
    for problem in error.errors:
        step = problem["pointer"][1:].split("/")[0].replace("~1", "/").replace("~0", "~")
        fields.setdefault(step, []).append(problem["message"])
    return fields
