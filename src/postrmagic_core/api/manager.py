"""An API that runs: a specification, and the objects that carry out its operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..errors import ConfigurationError
from .answering import problem_answer
from .conditional import Precondition, not_modified_headers
from .declaring import operations_of
from .endpoint import Endpoint, places
from .interface import PlainResponse
from .reading import Inputs
from .specification import Specification


class Api:
    """The endpoints of ``specification``, carried out by ``resources``: one object of each of its classes.

    The framework's module of :mod:`postrmagic_core.integrations` makes routes of it. ``inputs`` says what reading the
    requests needs. Raises :class:`ConfigurationError` where an object is missing or none is expected.
    """

    def __init__(self, specification: Specification, resources: Sequence[object], inputs: Inputs | None = None) -> None:
        self.specification = specification
        given = {type(one): one for one in resources}
        if set(given) != set(specification.resources) or len(given) != len(resources):
            names = ", ".join(kind.__name__ for kind in specification.resources)
            raise ConfigurationError(f"Api: expected one object of each of {names}")
        self.inputs = inputs or Inputs()
        self.endpoints = tuple(self._bound(given))
        self.places = places(self.endpoints, specification.base, specification.problems)
        self.pages: Mapping[str, PlainResponse] = specification.pages

    def page(self, path: str, headers: Mapping[str, str], method: str = "GET") -> PlainResponse:
        """One of :attr:`pages`, 304 for a client that has it, 405 for another method than ``GET`` and ``HEAD``.

        ``headers`` are the request's, names in lower case.
        """
        if method not in {"GET", "HEAD"}:
            problems = self.specification.problems
            return problem_answer(problems, problems.problem("http.405"), {"allow": "GET, HEAD"})
        found = self.pages[path]
        # Whoever asks for another one by If-Match reads it all the same: there is nothing to lose.
        asked = {name: value for name, value in headers.items() if name == "if-none-match"}
        if Precondition.of(asked).is_unmodified(found.headers["etag"]):
            return PlainResponse(304, not_modified_headers(found.headers))
        return found

    def _bound(self, given: Mapping[type, object]) -> Iterator[Endpoint]:
        operations = {one.name: one for one in self.specification.operations}
        for kind in self.specification.resources:
            for name in [one.name for one in operations_of(kind)]:
                handler = getattr(given[kind], name)
                yield Endpoint(operations[name], handler, self.inputs, self.specification.problems)
