"""Rules of other packages in definitions of forms: only those that the application lets, and only there."""

from __future__ import annotations

import re
import sys
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from postrmagic_core.errors import ConfigurationError, UnknownScheme, ValidationFailed
from postrmagic_core.registry import Registry
from postrmagic_core.validation import invalid
from postrmagic_core.validation.definitions import build, validator_for
from postrmagic_core.validation.rule import TextRule
from postrmagic_core.validation.rules.named import NamedRule, named_rule, offered


class Shouted(TextRule):
    """Text in capitals."""

    def __init__(self, times: int = 1) -> None:
        self.times = times

    def _check(self, value: str) -> str:
        if not re.fullmatch(r"[A-Z]+!+", value) or value.count("!") < self.times:
            raise invalid("shout.form", "must be shouted")
        return value


SHOUTED = named_rule("shouted", Shouted, kinds="text", parameters={"times": int})


def definition(**parameters: Any) -> dict[str, Any]:
    """A form that uses it."""
    return {"fields": {"word": {"type": "text", "max": 20, "rules": [{"rule": "shouted", **parameters}]}}}


def codes(error: pytest.ExceptionInfo[ValidationFailed]) -> list[str]:
    """What was wrong."""
    return [problem["code"] for problem in error.value.errors]


def test_a_rule_is_used_where_the_application_lets_it() -> None:
    """With its parameters, and its own words."""
    form = validator_for(definition(times=2), rules={"shouted": SHOUTED})
    assert form.validate({"word": "HEY!!"}).model_dump() == {"word": "HEY!!"}
    with pytest.raises(ValidationFailed, match="must be shouted") as caught:
        form.validate({"word": "HEY!"})
    assert codes(caught) == ["shout.form"]


def test_it_is_unknown_everywhere_else() -> None:
    """Also right after the same definition was built with it: what is kept is kept for those rules."""
    build(definition(), rules={"shouted": SHOUTED})
    for rules in ({}, {"shout": SHOUTED}):
        with pytest.raises(ValidationFailed) as caught:
            build(definition(), rules=rules)
        assert codes(caught) == ["definition.rule"]


def test_two_rules_of_one_name_are_not_mistaken() -> None:
    """Each application's own: the class that is kept for one is not the other's."""
    lax = named_rule("shouted", lambda: Shouted(0), kinds="text", parameters={"times": int})
    one, other = (validator_for(definition(), rules={"shouted": rule}) for rule in (SHOUTED, lax))
    assert one is not other
    assert build(definition(), rules={"shouted": SHOUTED}) is build(definition(), rules={"shouted": SHOUTED})


@pytest.mark.parametrize("parameters", [{"times": "2"}, {"times": True}, {"times": 2**70}, {"other": 1}])
def test_parameters_are_checked_as_those_of_the_package(parameters: dict[str, Any]) -> None:
    """A definition may come from outside."""
    with pytest.raises(ValidationFailed) as caught:
        build(definition(**parameters), rules={"shouted": SHOUTED})
    assert codes(caught) == ["definition.parameters"]


def test_it_stands_on_the_fields_it_is_for() -> None:
    """A number is not shouted."""
    wrong = {"fields": {"count": {"type": "integer", "rules": [{"rule": "shouted"}]}}}
    with pytest.raises(ValidationFailed) as caught:
        build(wrong, rules={"shouted": SHOUTED})
    assert codes(caught) == ["definition.kind"]


@pytest.mark.parametrize("name", ["slug", "same_as"])
def test_no_name_of_the_package_is_taken(name: str) -> None:
    """Not by the application, either."""
    with pytest.raises(ConfigurationError, match="is built in"):
        build(definition(), rules={name: SHOUTED})


@pytest.mark.parametrize(
    "wrong",
    [
        {"kinds": "text texts"},
        {"kinds": ""},
        {"kinds": "text", "parameters": {"at": dict}},
        {"kinds": "text", "parameters": {"at": str}, "required": "ta"},
    ],
)
def test_a_rule_that_is_described_wrongly_is_refused(wrong: dict[str, Any]) -> None:
    """Where it is made, at import."""
    with pytest.raises(ConfigurationError, match="rule 'shouted'"):
        named_rule("shouted", Shouted, **wrong)


def test_installed_ones_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else is loaded."""
    monkeypatch.setitem(sys.modules, "rules_under_test", sys.modules[__name__])
    entries = [
        EntryPoint("shouted", "rules_under_test:SHOUTED", "postrmagic_core.rules"),
        EntryPoint("broken", "no_such_module:X", "postrmagic_core.rules"),
    ]
    registry = Registry(lambda group: entries if group == "postrmagic_core.rules" else [])
    found = offered("shouted", registry=registry)
    assert found == {"shouted": SHOUTED}
    assert isinstance(found["shouted"], NamedRule)
    with pytest.raises(UnknownScheme, match="offered: broken, shouted"):
        offered("whispered", registry=registry)
