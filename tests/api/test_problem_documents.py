"""What a problem document says it is: about:blank, or a type of the application's."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core._problem import Problem, checked_types
from postrmagic_core.errors import ConfigurationError


def test_a_problem_is_of_no_type_unless_one_says_where_types_are() -> None:
    """RFC 9457, section 4.2.1: about:blank says no more than the status does."""
    assert Problem(404, "media.not_found").to_dict()["type"] == "about:blank"
    assert json.loads(Problem(404, "media.not_found").body())["type"] == "about:blank"


@pytest.mark.parametrize("types", ["/problems/", "https://api.example.org/problems/", "http://localhost:8000/p/", "/"])
def test_the_type_is_the_code_beneath_where_types_are(types: str) -> None:
    """A path or a URL: what it leads to explains the code."""
    problem = Problem(404, "media.not_found", detail="It was deleted.")
    assert checked_types(types) == types
    assert problem.to_dict(types)["type"] == f"{types}media.not_found"
    assert json.loads(problem.body(types)) == problem.to_dict(types)
    assert list(problem.to_dict(types)) == ["type", "title", "status", "code", "detail"]


@pytest.mark.parametrize(
    "types",
    [
        "",
        "problems/",
        "/problems",
        "//evil.example/problems/",
        "/problems//",
        "/problems/../",
        "/./problems/",
        "/problems/?a=/",
        "/problems/#/",
        "/%2e%2e/",
        "/problems\\/",
        "/pro blems/",
        "/problems/\n",
        "/problems/\r\nx-injected: 1/",
        "/probl\u00e9mes/",
        "/\ud800/",
        "ftp://example.org/",
        "https:///problems/",
        "https://user:secret@example.org/problems/",
        "https://example.org:port/",
        "https://-/",
        "javascript:/problems/",
        "tag:example.org,2026:problems/",
        None,
        7,
    ],
)
def test_what_is_no_place_for_types_is_refused_unrepeated(types: object) -> None:
    """It goes into every document, and into links: nothing that is read in two ways, or elsewhere."""
    with pytest.raises(ConfigurationError, match="such as /problems/ or https://") as caught:
        checked_types(types)
    assert "secret" not in str(caught.value)


@settings(deadline=None)
@given(st.text())
def test_a_type_is_always_one_segment_beneath(code: str) -> None:
    """Whatever an application calls its problem, the type leads nowhere else."""
    kind = str(Problem(400, code).to_dict("/problems/")["type"])
    assert kind.isascii()
    assert urlsplit(kind)._replace(path="") == ("", "", "", "", "")
    assert kind.startswith("/problems/")
    assert kind.count("/") == 2
