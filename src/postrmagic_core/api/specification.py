"""What an API promises: its operations, their problems and its words; written down without anything being open."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from ..errors import ConfigurationError
from .declaring import duplicate, operations_of
from .interface import Example, Operation, PlainResponse
from .problems import Problems

PAGES = ("openapi.json", "docs", "docs.css")
"""What is served beside the operations: the document, the reference made of it, and its style."""
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,5})\.[0-9]+\.[0-9]+")


class Specification:
    """The operations that ``resources`` declare, under ``/api/v1`` where ``version`` is ``"1.…"``.

    ``resources`` are classes (see :mod:`.declaring`). ``version`` is major.minor.patch; ``problems`` the registry of
    what may go wrong; ``security`` OpenAPI's security schemes, by name; ``examples`` those of operations, by their
    names. Raises :class:`ConfigurationError` for two operations of one name or place, for one at the place of a page
    (:data:`PAGES`), and for a problem code that the registry does not know.
    """

    title: str
    version: str
    description: str
    base: str
    operations: tuple[Operation, ...]
    problems: Problems
    security: dict[str, Mapping[str, Any]]

    def __init__(
        self,
        resources: Sequence[type],
        *,
        title: str,
        version: str,
        problems: Problems,
        prefix: str = "/api",
        description: str = "",
        security: Mapping[str, Mapping[str, Any]] | None = None,
        examples: Mapping[str, Sequence[Example]] | None = None,
    ) -> None:
        major = _VERSION.fullmatch(version)
        if major is None:
            raise ConfigurationError(f'Specification: version is major.minor.patch, such as "1.0.0", got {version!r}')
        if not _PREFIX.fullmatch(prefix):
            raise ConfigurationError(f"Specification: the prefix is a path such as /api, got {prefix!r}")
        self.title, self.version, self.description = title, version, description
        self.problems, self.security = problems, dict(security or {})
        self.major = major[1]
        self.base = f"{prefix}/v{self.major}"
        self.resources = tuple(resources)
        shown = dict(examples or {})
        found = [one for kind in resources for one in operations_of(kind)]
        self.operations = tuple(replace(one, examples=tuple(shown.pop(one.name, one.examples))) for one in found)
        if shown:
            raise ConfigurationError(f"Specification: there are examples of {', '.join(shown)}, which nobody declares")
        if (twice := duplicate(self.operations)) is not None:
            raise ConfigurationError(f"Specification: {twice}")
        for operation in self.operations:
            if operation.path.removeprefix("/") in PAGES:
                raise ConfigurationError(f"Specification: {operation.path} is a page of every API: take another path")
            for code in operation.problems:
                problems[code]
            if unknown := sorted(set(operation.callers or ()) - set(self.security)):
                raise ConfigurationError(f"Specification: {operation.name}: {unknown[0]} is no scheme of security")

    def openapi(self) -> dict[str, Any]:
        """The document in OpenAPI 3.1, made of the models that check and answer; the same one each time."""
        return self._document

    @cached_property
    def _document(self) -> dict[str, Any]:
        from .openapi import document  # for who asks: a request needs none of it

        groups = {getattr(kind, "group", kind.__name__): kind.__doc__ or "" for kind in self.resources}
        return document(
            self.operations,
            title=self.title,
            version=self.version,
            base=self.base,
            description=self.description,
            problems=self.problems,
            security=self.security,
            groups=groups,
        )

    @cached_property
    def pages(self) -> Mapping[str, PlainResponse]:
        """What is read about the API, by path, rendered when it is first asked for."""
        from .pages import pages  # for a server: who declares operations waits for none of them

        return dict(pages(self))

    def rules(self) -> dict[str, Any]:
        """What each route needs, for ``authorization(access, **specification.rules())``.

        A method that a path does not have is everybody's: the router answers 405, and says which ones it has.
        """
        rules: dict[str, str] = {}
        signed_in: list[str] = []
        public: list[str] = []
        for operation in self.operations:
            route = f"{operation.method} {self.base}{operation.path}"
            if operation.access == "public":
                public.append(route)
            elif operation.access == "signed-in":
                signed_in.append(route)
            else:
                rules[route] = operation.access
        public += [f"{self.base}/{page}" for page in PAGES]
        if self.problems.base is not None and self.problems.base.startswith("/"):
            public.append(f"GET {self.problems.base}*")
        # Whatever the method: those that a path has are named before, and the stricter rule counts.
        public += dict.fromkeys(self.base + operation.path for operation in self.operations)
        return {"rules": rules, "signed_in": signed_in, "public": public}
