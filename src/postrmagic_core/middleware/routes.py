"""Routes as layers take them: ``"/login"``, ``"POST /login"``, ``"/media/{id}"``, ``"/api/*"``. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ..errors import ConfigurationError

# RFC 9110, section 9.1, and PATCH (RFC 5789): what else a client calls its method is its own text.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
ANY, OPEN = "*", "{}"
_NAMED = re.compile(r"\{[A-Za-z_]\w*\}")


class Route:
    """A method, or any, and a path as the application gets it, but for a slash at its end.

    ``GET`` is ``HEAD`` too. ``{name}`` is any one segment, ``/*`` at the end the path itself and all beneath it. Raises
    :class:`ConfigurationError` for what is no route.
    """

    def __init__(self, text: str) -> None:
        method, _, path = text.rpartition(" ")
        if not path.startswith("/") or (method and not (method.isalpha() and method.isupper())):
            raise ConfigurationError(f"expected a route such as '/login', 'POST /login' or '/api/*', got {text!r}")
        if "*" in path.removesuffix("/*"):
            raise ConfigurationError(f"the route {text!r}: '*' stands only at the end, for all that is beneath")
        self.text = text
        self.methods = ("GET", "HEAD") if method == "GET" else (method or ANY,)
        self.beneath = path.endswith("/*")
        named = segments_of(path.removesuffix("*"))
        if any("{" in segment or "}" in segment for segment in named if not _NAMED.fullmatch(segment)):
            raise ConfigurationError(f"the route {text!r}: braces stand around a whole segment, as in '/media/{{id}}'")
        self.segments = tuple(OPEN if segment.startswith("{") else segment for segment in named)

    def takes(self, method: str) -> bool:
        """Whether a request by ``method`` may be one of this route."""
        return method in self.methods or ANY in self.methods

    def fits(self, segments: Sequence[str]) -> bool:
        """Whether a path of these segments is this one's, or beneath it where that is meant."""
        size = len(self.segments)
        if len(segments) < size if self.beneath else len(segments) != size:
            return False
        return all(own in (OPEN, given) for own, given in zip(self.segments, segments, strict=False))

    def hides(self, later: Route) -> bool:
        """Whether every request for ``later`` is for this one."""
        if ANY not in self.methods and not set(later.methods) <= set(self.methods):
            return False
        if not self.beneath:  # one that is written out further comes first, wherever it stands
            return not later.beneath and self.segments == later.segments
        return self.fits(later.segments)


def segments_of(path: str) -> list[str]:
    """The segments of a path, the first one empty; a slash at its end makes none."""
    return path.rstrip("/").split("/")


def listed(routes: Collection[str], what: str) -> Collection[str]:
    """``routes`` if they are a list; :class:`ConfigurationError` for one text, which would be read by letters."""
    if isinstance(routes, str):
        raise ConfigurationError(f"{what}: expected a list of routes, got the text {routes!r}: write [{routes!r}]")
    return routes
