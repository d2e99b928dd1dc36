"""What packages offer by a name in place of a URL: middleware and rules; and what the list of plug-ins bears."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from postrmagic_core.errors import PluginRejected, UnknownScheme
from postrmagic_core.registry import ALERT_CHANNELS, MIDDLEWARE, RULES, STORES, Registry
from postrmagic_core.validation.rules import Slug
from postrmagic_core.validation.rules.named import named_rule

PLATE = named_rule("plate", lambda: Slug, kinds="text")
NUMBER = 7


def factory() -> object:
    """A middleware's."""
    return lambda request: iter(())


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "offered_under_test", sys.modules[__name__])
    (tmp_path / "fails_under_test.py").write_text("raise RuntimeError('not today')\n")
    monkeypatch.syspath_prepend(tmp_path)


def registry(group: str, *entries: tuple[str, str]) -> Registry:
    """One that finds these entry points in ``group``."""
    found = [EntryPoint(name, target, group) for name, target in entries]
    return Registry(lambda asked: found if asked == group else [])


def test_a_name_is_enough() -> None:
    """A rule as a rule, a middleware as its factory."""
    assert registry(RULES.group, ("plate", "offered_under_test:PLATE")).named(RULES, "plate") is PLATE
    assert registry(MIDDLEWARE.group, ("x", "offered_under_test:factory")).named(MIDDLEWARE, "x") is factory


def test_an_unknown_name_names_those_that_are_installed() -> None:
    """As for a scheme."""
    with pytest.raises(UnknownScheme, match=r"no installed package offers the rule 'plait'; offered: plate"):
        registry(RULES.group, ("plate", "offered_under_test:PLATE")).named(RULES, "plait")
    with pytest.raises(UnknownScheme, match="offered: none"):
        registry(RULES.group).named(RULES, "plate")


@pytest.mark.parametrize(
    ("kind", "name", "target", "reason"),
    [
        (RULES, "plate", "offered_under_test:factory", "is no NamedRule"),
        (RULES, "plate", "offered_under_test:ABSENT", "cannot be imported"),
        (RULES, "plate", "offered_under_test", "cannot be imported"),
        (RULES, "plate", "no_such_module:PLATE", "cannot be imported"),
        (RULES, "slug", "offered_under_test:PLATE", "'slug' is built in; choose another name"),
        (MIDDLEWARE, "timing", "offered_under_test:NUMBER", "cannot be called"),
        (MIDDLEWARE, "csrf", "offered_under_test:factory", "'csrf' is built in; choose another name"),
    ],
)
def test_what_does_not_fit_is_rejected_with_the_reason(kind: object, name: str, target: str, reason: str) -> None:
    """Where it is asked for, and in the list."""
    known = registry(kind.group, (name, target))  # type: ignore[attr-defined]  # a kind has one
    with pytest.raises(PluginRejected, match=reason):
        known.named(kind, name)  # type: ignore[arg-type]  # as above
    [listed] = [plugin for plugin in known.plugins() if plugin.origin == "entry point"]
    assert (listed.scheme, listed.state) == (name, "rejected")
    assert reason in listed.reason


def test_two_packages_that_offer_one_name_are_both_refused() -> None:
    """Which one counts must not depend on the order of installation."""
    twice = registry(RULES.group, ("plate", "offered_under_test:PLATE"), ("plate", "offered_under_test:NUMBER"))
    with pytest.raises(PluginRejected, match="several installed packages offer the rule 'plate'"):
        twice.named(RULES, "plate")


@pytest.mark.parametrize("group", [RULES.group, MIDDLEWARE.group, STORES.group, ALERT_CHANNELS.group])
def test_a_module_that_fails_takes_no_other_from_the_list(group: str) -> None:
    """It is told as rejected, with what it raised."""
    listed = registry(group, ("broken", "fails_under_test:X")).plugins()
    [broken] = [plugin for plugin in listed if plugin.origin == "entry point"]
    assert (broken.state, broken.reason) == ("rejected", "fails_under_test:X fails: RuntimeError: not today")
    assert len(listed) > 20
