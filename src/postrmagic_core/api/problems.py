"""The registry of an API's types of problems: nothing is answered that it does not know.

::

    OWN = [ProblemType("media.not_found", 404, "No such medium", "It was deleted, or is not yours. Ask for the list.")]
    PROBLEMS = Problems(OWN, base="/problems/", errors={NotFound: "media.not_found"})

    PROBLEMS.problem("media.not_found", detail="It was deleted yesterday.")
    PROBLEMS.for_error(error)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TypeVar

from .._problem import Problem, answered, checked_types, problem_for
from ..errors import AccessDenied, ConfigurationError, UsageError, ValidationFailed
from .problem_types import PACKAGE, ProblemType

__all__ = ["PACKAGE", "ProblemType", "Problems"]

E = TypeVar("E", bound=BaseException)

_MEMBERS = frozenset({"type", "title", "status", "code", "detail", "errors", "instance"})


class Problems:
    """The package's types of problems, and the application's own: ``types``, one by one or in lists.

    ``base``, such as ``"/problems/"``, is where it says what they mean: the ``type`` of a document is its code beneath
    it. ``errors`` says which classes of exceptions are which type: of those an error belongs to, the most specific one
    counts. Raises :class:`ConfigurationError` for a code that is declared twice with another meaning, for an error of
    no known type, and for a ``base`` beneath which no code can stand.
    """

    base: str | None

    def __init__(
        self,
        *types: ProblemType | Iterable[ProblemType],
        base: str | None = None,
        errors: Mapping[type[E], str] | None = None,
    ) -> None:
        self.base = None if base is None else checked_types(base)
        self._types = {kind.code: kind for kind in PACKAGE}
        for given in types:
            for kind in [given] if isinstance(given, ProblemType) else given:
                if self._types.setdefault(kind.code, kind) != kind:
                    raise ConfigurationError(
                        f"the problem {kind.code} is declared twice with another meaning: give one another code"
                    )
        self._errors: dict[type[BaseException], str] = {}
        for error, code in (errors or {}).items():
            if not _is_error(error):
                raise ConfigurationError(f"errors: expected a class of exceptions for {code}, got {error!r:.100}")
            self._errors[error] = self[code].code

    @property
    def types(self) -> Sequence[ProblemType]:
        """All of them, sorted by code."""
        return tuple(sorted(self._types.values(), key=lambda kind: kind.code))

    def __contains__(self, code: object) -> bool:
        return code in self._types

    def __getitem__(self, code: str) -> ProblemType:
        """The type of ``code``; :class:`ConfigurationError` names near ones where there is none."""
        found = self._types.get(code)
        if found is None:
            near = get_close_matches(code, self._types)
            hint = f"did you mean {' or '.join(near)}?" if near else "declare it as a ProblemType"
            raise ConfigurationError(f"there is no problem {code!r:.120}: {hint}")
        return found

    def problem(
        self,
        code: str,
        *,
        detail: str = "",
        errors: Sequence[Mapping[str, str]] = (),
        extra: Mapping[str, object] | None = None,
    ) -> Problem:
        """A problem of this type.

        ``detail`` is about this occurrence, ``errors`` lists the fields at fault, ``extra`` are members beside those of
        the document: one of its own raises :class:`UsageError`.
        """
        kind = self[code]
        if own := sorted(_MEMBERS.intersection(extra or ())):
            raise UsageError(f"the problem {code} cannot have another {own[0]}: extra members have names of their own")
        return Problem(kind.status, kind.code, kind.title, detail, errors, dict(extra or {}))

    def maps(self, error: BaseException) -> bool:
        """Whether ``errors`` says of which type ``error`` is."""
        return self._mapped(error) is not None

    def for_error(self, error: BaseException) -> Problem:
        """What a client may know about ``error``: never its text.

        An error that nobody knows is ``internal``. A refusal that hides what there is, or that nobody is logged in,
        stays so whatever ``errors`` says.
        """
        code = self._mapped(error)
        if code is not None:
            return self.problem(code, errors=error.errors if isinstance(error, ValidationFailed) else ())
        told = problem_for(error)
        kind = self._known(told, error)
        return replace(told, status=kind.status, code=kind.code, title=kind.title)

    def _mapped(self, error: BaseException) -> str | None:
        if isinstance(error, AccessDenied) and (error.hidden or error.nobody):
            return None
        for kind in type(error).__mro__:
            if kind in self._errors:
                return self._errors[kind]
            if answered(kind):
                break
        return None

    def _known(self, told: Problem, error: BaseException) -> ProblemType:
        """The type of what is told; of a class that has a code of its own, which nobody declared, that above it."""
        codes = [told.code]
        if told.code == getattr(error, "code", None):
            codes += [kind.__dict__["code"] for kind in type(error).__mro__ if "code" in kind.__dict__]
        return next(self._types[code] for code in [*codes, "internal"] if code in self._types)


def _is_error(given: object) -> bool:
    return isinstance(given, type) and issubclass(given, BaseException)
