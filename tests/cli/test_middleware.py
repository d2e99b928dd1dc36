"""``postrmagic middleware`` draws what an application's requests pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import Finished, run

APP = """
from postrmagic_core.middleware import Group, Pipeline
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.stack import Stack

def limit(request):
    yield

stack = Stack.from_env()
stack.middleware.use(groups=[Group("/api", [limit], without=["csrf"])])
pipeline = Pipeline([request_id(), errors()])
nothing = 1
"""


def told(directory: Path, *arguments: str) -> Finished:
    """What the command says."""
    (directory / "shop.py").write_text(APP)
    return run("middleware", *arguments, directory=directory)


def test_it_draws_each_layer_inside_the_one_before(tmp_path: Path) -> None:
    """For all paths and for groups."""
    done = told(tmp_path, "--app", "shop:stack")
    assert done.status == 0, done.stderr
    lines = [line.strip(" │└─├") for line in done.stdout.splitlines()]
    every, api = lines.index("every other path"), lines.index("/api")
    assert lines[every + 1 : every + 4] == ["trusted_proxies", "probes", "request_id"]
    assert lines[api - 1] == "the application"
    assert "csrf" in lines[every:api]
    assert "csrf" not in lines[api:]
    assert lines[-2:] == ["limit", "the application"]


def test_it_tells_programs_and_knows_pipelines(tmp_path: Path) -> None:
    """As JSON; a Pipeline may be named as well as a Stack."""
    done = told(tmp_path, "--app", "shop:pipeline", "--json")
    assert json.loads(done.stdout) == {"pipeline": ["request_id", "errors"], "groups": {}}


@pytest.mark.parametrize(("app", "complaint"), [("shop:nothing", "expected a Stack"), ("shop:none", "shop")])
def test_what_is_no_application_is_refused(tmp_path: Path, app: str, complaint: str) -> None:
    """With what was expected."""
    done = told(tmp_path, "--app", app)
    assert done.status == 1
    assert complaint in done.stderr
