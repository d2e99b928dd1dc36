"""Every shipped rule keeps the contract of rules, each on the examples of its standard."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, get_args

import pytest

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.testing.contracts.rule import RuleContract
from postrmagic_core.validation.model import invalid
from postrmagic_core.validation.rule import TextRule, after
from tests.validation.rules.catalogue import VECTORS
from tests.validation.rules.vectors import Vector, checks


class TestShipped(RuleContract):
    """The contract, once for each rule."""

    @pytest.fixture(autouse=True, params=VECTORS, ids=lambda vector: vector.name)
    def vector(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Vector:
        """The rule's examples."""
        vector: Vector = request.param
        for name in ("rule", "valid", "invalid", "hostile"):
            monkeypatch.setattr(type(self), name, getattr(vector, name), raising=False)
        return vector


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_the_type_alone_would_accept_what_the_rule_refuses(vector: Vector) -> None:
    """The examples fail when the rule is taken away."""
    bare = checks(get_args(vector.rule)[0])
    accepted = 0
    for given, _ in vector.invalid:
        try:
            bare.validate(given)
            accepted += 1
        except ValidationFailed:
            pass
    assert accepted > len(vector.invalid) / 2


class Refusing(TextRule):
    """Refuses everything."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """The rule as pydantic runs it."""
        return after(handler(source), self._refuse)

    def _refuse(self, value: Any) -> Any:
        raise invalid("test.refused", "no")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_a_rule_named_before_another_still_runs(vector: Vector) -> None:
    """No rule takes the place of those before it, and none is skipped by those after it."""
    base, *metadata = get_args(vector.rule)
    given = vector.valid[-1][0]
    for order in ([Refusing(), *metadata], [*metadata, Refusing()]):
        annotation: Any = base
        for one in order:
            annotation = Annotated[annotation, one]
        with pytest.raises(ValidationFailed) as caught:
            checks(annotation).validate(given)
        assert caught.value.errors[0]["code"] == "test.refused"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_null_passes_where_the_type_permits_it(vector: Vector) -> None:
    """A rule on an optional type is for what is there."""
    base, *metadata = get_args(vector.rule)
    annotation: Any = base | None
    for one in metadata:
        annotation = Annotated[annotation, one]
    validator = checks(annotation)
    assert validator.validate(None) is None
    given, kept = vector.valid[0]
    assert validator.validate(given) == kept
    assert validator.validate_json(b"null") is None


# OneOf and NoneOf are for values of any kind; Slug is pydantic's.
OF_A_KIND = [vector for vector in VECTORS if vector.name not in {"OneOf", "NoneOf", "Slug"}]


@pytest.mark.parametrize("vector", OF_A_KIND, ids=lambda vector: vector.name)
def test_on_a_field_of_another_kind_a_rule_lets_nothing_through(vector: Vector) -> None:
    """A mistake of the developer refuses all input; it does not let all in."""
    metadata = get_args(vector.rule)[1]
    kind = type(vector.valid[0][0])
    for given in ("x", True, b"x", [1], date(2020, 1, 1)):
        base: Any = type(given)
        if issubclass(kind, base) or issubclass(base, kind):
            continue
        annotation: Any = Annotated[base, metadata]
        with pytest.raises(ValidationFailed):
            checks(annotation).validate(given)
