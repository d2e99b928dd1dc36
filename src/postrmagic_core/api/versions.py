"""Versions side by side: which one a request asks for, and what every answer says of it.

A request asks by its path, ``/api/v1/media``, or by the header ``API-Version: 1`` on ``/api/media``. Each version is
told in ``API-Version``; one that is deprecated says since when (``Deprecation``, RFC 9745), when it ends (``Sunset``,
RFC 8594) and where it says what to use in its place (``Link``). After its end it is answered with 410.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import format_datetime

from .._problem import Problem
from ..errors import ConfigurationError
from .interface import Deprecation

HEADER = "api-version"
_NAME = re.compile(r"[0-9]{1,6}")
_BEHIND = re.compile(r"/v([0-9]{1,6})(?:/.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Version:
    """A major version, ``"1"``: it only ever grows. ``deprecated`` says that another one takes its place."""

    name: str
    deprecated: Deprecation | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or str(int(self.name)) != self.name:
            raise ConfigurationError(f'Version: a number as text, such as "1", got {self.name!r}')

    def headers(self) -> dict[str, str]:
        """What every answer of this version says, names in lower case."""
        return {HEADER: self.name} | deprecation_headers(self.deprecated)


@dataclass(frozen=True, slots=True)
class Routed:
    """The version a request is for, and the path by which it is served."""

    version: Version
    path: str


class Versions:
    """The versions under ``prefix``; ``default`` serves a request that names none, else it is refused.

    Raises :class:`ConfigurationError` for two of one name, and for a default that is none of them.
    """

    def __init__(self, versions: Sequence[Version], *, prefix: str = "/api", default: str | None = None) -> None:
        self._known = {one.name: one for one in versions}
        if not self._known or len(self._known) != len(versions):
            raise ConfigurationError("Versions: expected at least one version, each name once")
        if default is not None and default not in self._known:
            raise ConfigurationError(f"Versions: the default {default!r} is none of {', '.join(self._known)}")
        if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", prefix):
            raise ConfigurationError(f"Versions: the prefix is a path such as /api, got {prefix!r}")
        self._prefix, self._default = prefix, default

    def ask(self, path: str, header: str | None, today: date) -> Routed | Problem | None:
        """Which version ``path`` and the header ask for; ``None`` where the path is none of the API's.

        A problem: 404 for a version there is not, 410 for one that has ended, 400 where path and header differ.
        """
        if path != self._prefix and not path.startswith(f"{self._prefix}/"):
            return None
        behind = path[len(self._prefix) :]
        named = _BEHIND.fullmatch(behind)
        wanted = header.strip() if header is not None else None
        if named is not None and wanted not in {None, named[1]}:
            return Problem(
                400, "version.contradicted", detail="The path asks for one version, API-Version for another."
            )
        name = named[1] if named is not None else wanted or self._default
        version = self._known.get(name or "")
        if version is None:
            told = ", ".join(self._known)
            hint = f"Ask by the path, as {self._prefix}/v{next(iter(self._known))}, or by the header API-Version."
            return Problem(404, "version.unknown", detail=f"There is: {told}. {hint}")
        ends = version.deprecated.ends if version.deprecated else None
        if ends is not None and today >= ends:
            return Problem(410, "version.ended", detail=f"Version {version.name} ended on {ends.isoformat()}.")
        return Routed(version, path if named is not None else f"{self._prefix}/v{version.name}{behind}")


def deprecation_headers(deprecated: Deprecation | None) -> dict[str, str]:
    """``Deprecation``, ``Sunset`` and ``Link`` as RFC 9745 and RFC 8594 have them, names in lower case."""
    if deprecated is None:
        return {}
    headers = {"deprecation": f"@{int(_midnight(deprecated.since).timestamp())}"}
    if deprecated.ends is not None:
        headers["sunset"] = format_datetime(_midnight(deprecated.ends), usegmt=True)
    if deprecated.link is not None:
        headers["link"] = f'<{deprecated.link}>; rel="deprecation"; type="text/html"'
    return headers


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
