"""The contract of rules: green on a small rule that keeps it; red, on the right promise, on each that breaks one."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import pytest

from postrmagic_core.testing.contracts.rule import RuleContract
from tests.planted import expect_red
from tests.testing import rules_bad

MODULE = """
from typing import Annotated

from postrmagic_core.testing.contracts.rule import RuleContract
from tests.testing import rules_bad

def planted(bad, tests):
    class Planted(RuleContract):
        rule = bad.annotation
        valid = [("b-ab 123", "B-AB 123"), ("X-Y 1", "X-Y 1")]
        invalid = bad.invalid
        hostile = ["A", "B-"]
        catalogues = bad.catalogues

    for test in dir(Planted):
        if test.startswith("test_") and test not in tests:
            setattr(Planted, test, None)
    return Planted

for name, tests in {tests}.items():
    bad = rules_bad.BAD.get(name) or rules_bad.Bad(rules_bad.Good, set())
    globals()["Test" + name] = planted(bad, tests)
"""


class TestGood(RuleContract):
    """The smallest rule that keeps it."""

    rule: ClassVar[Any] = Annotated[str, rules_bad.Good()]
    valid = (("b-ab 123", "B-AB 123"), ("X-Y 1", "X-Y 1"))
    invalid = (("", "plate.form"), ("B-AB", "plate.form"), ("b-ab 12345", "plate.form"))
    hostile = ("A", "B-", lambda size: "B-" + "1" * size)
    catalogues = rules_bad.CATALOGUES


def test_each_broken_promise_is_red(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the tests named for it; the same are green on the rule that keeps them."""
    expect_red(pytester, monkeypatch, MODULE, {name: bad.tests for name, bad in rules_bad.BAD.items()})
