"""Versions side by side: asked for by path or header, told in every answer, and ended on the day that was said."""

from __future__ import annotations

from datetime import date

import pytest

from postrmagic_core._problem import Problem
from postrmagic_core.api.interface import Deprecation
from postrmagic_core.api.versions import Routed, Version, Versions
from postrmagic_core.errors import ConfigurationError

TODAY = date(2026, 6, 1)
OLD = Version("1", Deprecation(date(2026, 1, 1), date(2026, 9, 1), "https://example.org/v2"))
NEW = Version("2")
BOTH = Versions([OLD, NEW])


def asked(path: str, header: str | None = None, versions: Versions = BOTH, today: date = TODAY) -> tuple[str, str]:
    """The version and the path that a request is for."""
    found = versions.ask(path, header, today)
    assert isinstance(found, Routed)
    return found.version.name, found.path


def refused(path: str, header: str | None = None, versions: Versions = BOTH, today: date = TODAY) -> tuple[int, str]:
    """Status and code of what a request is refused with."""
    found = versions.ask(path, header, today)
    assert isinstance(found, Problem)
    return found.status, found.code


def test_the_path_names_a_version() -> None:
    """A versioned path stays as it is."""
    assert asked("/api/v1/media") == ("1", "/api/v1/media")
    assert asked("/api/v2") == ("2", "/api/v2")


def test_the_header_names_a_version() -> None:
    """A path without a version becomes that of the one in the header."""
    assert asked("/api/media/7", "2") == ("2", "/api/v2/media/7")
    assert asked("/api", " 1 ") == ("1", "/api/v1")


def test_path_and_header_may_agree_and_not_differ() -> None:
    """Two different wishes are no wish."""
    assert asked("/api/v1/media", "1") == ("1", "/api/v1/media")
    assert refused("/api/v1/media", "2") == (400, "version.contradicted")


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("/api/v3/media", None),
        ("/api/media", "3"),
        ("/api/media", "01"),
        ("/api/media", "1.0"),
        ("/api/media", "1, 2"),
        ("/api/media", ""),
        ("/api/media", None),
        ("/api/v01/media", None),
        ("/api/v\u0661/media", None),
        ("/api/v1media", None),
        ("/api/v1\n/media", None),
    ],
)
def test_what_is_no_version_is_refused(path: str, header: str | None) -> None:
    """Nobody is served by a version that they did not ask for."""
    assert refused(path, header) == (404, "version.unknown")


def test_who_names_none_gets_the_default_where_there_is_one() -> None:
    """A default is the application's choice."""
    versions = Versions([OLD, NEW], default="1")
    assert asked("/api/media", None, versions) == ("1", "/api/v1/media")
    assert refused("/api/media", "3", versions) == (404, "version.unknown")


@pytest.mark.parametrize("path", ["/", "/apis/v1", "/static/api/v1", "/health"])
def test_other_paths_are_nobodys_business(path: str) -> None:
    """What is not under the prefix has no version."""
    assert BOTH.ask(path, "7", TODAY) is None


def test_a_version_ends_on_its_day() -> None:
    """The day before it is served, on the day it is gone."""
    assert asked("/api/v1/media", today=date(2026, 8, 31)) == ("1", "/api/v1/media")
    assert refused("/api/v1/media", today=date(2026, 9, 1)) == (410, "version.ended")
    assert asked("/api/v2/media", today=date(2036, 9, 1)) == ("2", "/api/v2/media")


def test_a_deprecated_version_says_so() -> None:
    """Deprecation is a date of RFC 9651, Sunset one of HTTP, Link leads to the words."""
    assert OLD.headers() == {
        "api-version": "1",
        "deprecation": "@1767225600",
        "sunset": "Tue, 01 Sep 2026 00:00:00 GMT",
        "link": '<https://example.org/v2>; rel="deprecation"; type="text/html"',
    }
    assert NEW.headers() == {"api-version": "2"}


@pytest.mark.parametrize("name", ["", "v1", "01", "1.0", "\u0661", "-1", "1234567"])
def test_a_version_is_a_number(name: str) -> None:
    """There is one way to write each."""
    with pytest.raises(ConfigurationError, match="Version: a number"):
        Version(name)


@pytest.mark.parametrize(
    "link", ["x> ; rel=x", "https://example.org/\r\nx: y", "javascript:alert(1)", "no url", "https://exämple.org/"]
)
def test_a_deprecation_leads_to_a_page(link: str) -> None:
    """What cannot stand in the header is refused when it is declared."""
    with pytest.raises(ConfigurationError, match="link"):
        Deprecation(TODAY, link=link)


def test_a_version_does_not_end_before_it_is_deprecated() -> None:
    """RFC 8594 and RFC 9745: the sunset is not earlier."""
    with pytest.raises(ConfigurationError, match="ends"):
        Deprecation(date(2026, 2, 1), date(2026, 1, 1))


@pytest.mark.parametrize(
    ("versions", "more"),
    [
        ([], {}),
        ([Version("1"), Version("1")], {}),
        ([Version("1")], {"default": "2"}),
        ([Version("1")], {"prefix": "api"}),
        ([Version("1")], {"prefix": "/api/"}),
    ],
)
def test_versions_that_cannot_be_are_refused(versions: list[Version], more: dict[str, str]) -> None:
    """At start-up, not at a request."""
    with pytest.raises(ConfigurationError, match="Versions"):
        Versions(versions, **more)
