"""Middleware by name: found, made with options, put in order; and what is wrong is said at start-up."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._rooms import MiddlewareSettings
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.middleware import Group, Middleware, Request, middleware
from postrmagic_core.middleware.named import ENTRY_POINTS, OWN, Assembly, made
from postrmagic_core.security import Role, Roles
from postrmagic_core.security.oauth import Scope, Scopes
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack

TIMING = EntryPoint("timing", f"{__name__}:timing", ENTRY_POINTS)


def timing(unit: str = "ms", *, stack: Any = None) -> Middleware:
    """What another package offers: it takes an option, and the Stack."""

    @middleware(name="timing", after=["request_id"])
    def layer(request: Request) -> Any:
        head = yield
        head.set("x-timing", f"{unit} {stack}")

    return layer


def naming() -> Middleware:
    """What an application has in a module of its own: no options."""

    @middleware(name="naming")
    def layer(request: Request) -> Any:
        yield

    return layer


def offered(*entries: EntryPoint) -> Any:
    """Only these packages are installed."""
    return lambda group: [entry for entry in entries if entry.group == group]


def test_settings_name_what_is_built_in_installed_or_anywhere() -> None:
    """With options for each, in the order that they demand and not that of the list."""
    settings = MiddlewareSettings(
        use=("timing", f"{__name__}:naming", "errors", "request_id"), options={"timing": {"unit": "s"}}
    )
    pipeline = Assembly(settings, "the stack", offered(TIMING)).pipeline()
    assert pipeline.names == ["request_id", "timing", "naming", "errors"]


def test_code_adds_to_what_settings_name() -> None:
    """Groups of one prefix are one."""

    def own(request: Request) -> Any:
        yield

    settings = MiddlewareSettings.model_validate(
        {"use": ["request_id", "errors"], "groups": {"/api": {"use": ["timing"], "without": ["errors"]}}}
    )
    assembly = Assembly(settings, None, offered(TIMING))
    assembly.use(own, groups=[Group("/api", [own])])
    pipeline = assembly.pipeline()
    assert pipeline.names == ["request_id", "errors", "own"]
    assert pipeline.groups == {"/api": ["request_id", "own", "timing", "own"]}


def test_a_pipeline_of_settings_tells_types_of_problems_too() -> None:
    """What is no place for them is refused here as in a pipeline of code."""
    assembly = Assembly(MiddlewareSettings(use=("errors",)), None, offered())
    assert assembly.pipeline(problem_types="/problems/").names == ["errors"]
    with pytest.raises(ConfigurationError, match="slash"):
        assembly.pipeline(problem_types="problems")


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("timings", {}, "there is no middleware timings: expected module:factory, or one of trusted_proxies, "),
        ("timing", {"units": "s"}, r"middleware timing cannot be made: .*'units'.* its options: unit, stack"),
        ("body_limit", {"max_bytes": -1}, "middleware body_limit cannot be made: expected a number of bytes, got -1"),
        ("no_such_module:x", {}, "middleware no_such_module:x: there is no module no_such_module"),
        (f"{__name__}:missing", {}, "the module has no missing"),
        (f"{__name__}:TIMING", {}, "is no factory"),
    ],
)
def test_a_name_or_option_that_is_wrong_is_told_with_what_there_is(
    name: str, options: dict[str, Any], complaint: str
) -> None:
    """When the pipeline is made, not at the first request."""
    with pytest.raises(ConfigurationError, match=complaint):
        made(name, options, None, offered(TIMING))


def test_a_name_that_two_packages_claim_is_nobodys() -> None:
    """Which of them it would be were chance."""
    other = EntryPoint("timing", "elsewhere:timing", ENTRY_POINTS)
    with pytest.raises(ConfigurationError, match="several installed packages offer middleware timing"):
        made("timing", {}, None, offered(TIMING, other))


def test_options_that_nobody_uses_are_a_mistake() -> None:
    """A misspelt name would set nothing."""
    settings = MiddlewareSettings(use=("errors",), options={"eror": {}})
    with pytest.raises(ConfigurationError, match="options for eror, which no pipeline or group uses"):
        Assembly(settings, None, offered()).pipeline()


def test_every_layer_is_in_the_table_of_the_reference() -> None:
    """With what its factory is called with; one more, api_versions, needs code."""
    page = (Path(__file__).parents[2] / "docs/reference/modules/middleware.md").read_text(encoding="utf-8")
    assert [name for name in [*OWN, "api_versions"] if f"`{name}(" not in page] == []


def test_everything_of_the_package_can_be_named(tmp_path: Path) -> None:
    """With what its Stack has; where options are needed, with those."""
    options: dict[str, dict[str, Any]] = {
        "cors": {"origins": ["https://app.example.org"]},
        "rate_limit": {"limits": ["10/minute"]},
        "concurrency_limit": {"slots": 3},
        "authentication": {"authenticate": lambda request: None},
    }
    oauth = {"issuer": "https://app.example.org"}
    settings = Settings(stack={"data_dir": tmp_path}, middleware={"use": ()}, oauth=oauth)
    stack = Stack(settings, configure_logging=False)
    stack.security.use_roles(Roles([Role("reader", allow=["media:read"])]))
    stack.security.use_scopes(Scopes([Scope("media.read", ["media:read"], "See your posters")]))
    for name in OWN:
        stack.middleware.use(made(name, options.get(name, {}), stack))
    assert set(stack.middleware.pipeline().names) == set(OWN)


def test_a_stack_has_the_usual_pipeline(tmp_path: Path) -> None:
    """Unless settings say otherwise."""
    stack = Stack(Settings(stack={"data_dir": tmp_path}), configure_logging=False)
    assert stack.middleware.pipeline().names == list(stack.settings.middleware.use)
