"""What a rule of validation is, as tests: subclass :class:`RuleContract`, name the rule and examples, and run it.

::

    class TestPlate(RuleContract):
        rule = Annotated[str, Plate()]
        valid = [("b-ab 123", "B-AB 123")]
        invalid = [("", "plate.form"), ("B-AB 0", "plate.form")]
        hostile = ["A", "B-", lambda size: "B-" + "1" * size]
"""

from __future__ import annotations

import copy
import json
import math
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, TypeAlias, get_args

import pytest
from pydantic import TypeAdapter

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import InputLimits, Validator
from postrmagic_core.validation.catalogues import Catalogues
from postrmagic_core.validation.messages import ENGLISH, Catalogue

Pump: TypeAlias = str | Callable[[int], Any]
"""A text that is repeated up to a size, or what makes an input of a size."""

_CANARY = "CANARY-7f3a9c"
_SIZE = 8_000
_AMPLE = InputLimits(items=1_000_000, bytes=16_000_000)
_OTHERS: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**30,
    1.5,
    math.nan,
    math.inf,
    Decimal("sNaN"),
    Decimal("1e9999"),
    "",
    "\x00",
    "\ud800",
    "x" * 70_000,
    b"\xff",
    [],
    [None],
    [[1], {"a": 1}, "x"],
    {},
    {"a": 1},
    {1, 2},
    date.min,
    datetime.max,  # noqa: DTZ901 - a rule for dates is to refuse it
    object(),
)


class RuleContract:
    """Every promise of a rule in ``Annotated``.

    A subclass supplies ``rule``, the annotation; ``valid``: inputs and what is kept of each; ``invalid``: inputs and
    the code of each; ``hostile``: what to time, beside the examples repeated. ``max_length``: a text of more characters
    is refused. ``catalogues``: the texts of a rule of your own, by locale.
    """

    rule: ClassVar[Any]
    valid: ClassVar[Sequence[tuple[Any, Any]]]
    invalid: ClassVar[Sequence[tuple[Any, str]]]
    hostile: ClassVar[Sequence[Pump]] = ()
    max_length: ClassVar[int] = 1_000_000
    catalogues: ClassVar[Mapping[str, Catalogue]] = {}

    @pytest.fixture
    def validator(self) -> Validator[Any]:
        """The rule alone, with room for what is hostile."""
        return Validator(self.rule, limits=_AMPLE, catalogues=self.catalogues)

    def test_it_keeps_what_is_told(self, validator: Validator[Any]) -> None:
        """Each valid input is accepted, and what is kept of it is the value told, of the same type."""
        for number, (given, kept) in enumerate(self.valid):
            value = validator.validate(given)
            assert (value, type(value)) == (kept, type(kept)), f"valid[{number}]"

    def test_it_refuses_with_the_code_told(self, validator: Validator[Any]) -> None:
        """Each invalid input is refused with its code, and only that."""
        for number, (given, code) in enumerate(self.invalid):
            problems = _problems(validator, given)
            assert [problem["code"] for problem in problems] == [code], f"invalid[{number}]"

    def test_what_it_keeps_it_keeps_again(self, validator: Validator[Any]) -> None:
        """Applied to its own result a rule changes nothing, for examples and for texts made of them."""
        for given in [given for given, _ in self.valid] + [_pumped(pump, 40) for pump in self._pumps()]:
            try:
                once = validator.validate(given)
            except ValidationFailed:
                continue
            assert validator.validate(once) == once

    def test_nothing_of_the_input_is_told(self) -> None:
        """No message, pointer, text of the error or traceback holds what was sent, wherever it was sent."""
        nested = Validator(dict[str, list[self.rule]], limits=_AMPLE, catalogues=self.catalogues)  # type: ignore[name-defined]  # a type at run time
        own = f"{self.rule!r}"
        for given in self._refusable():
            error = _failure(nested, {"field": [given]})
            if error is None:
                continue
            told = "\n".join([repr(error), str(error.errors), *traceback.format_exception(error)])
            assert _CANARY not in told
            assert all(problem["pointer"].startswith("/field/0") for problem in error.errors)
            for problem in error.errors:
                ours = f"{own}{ENGLISH.get(problem['code'])}{self.catalogues}"
                if isinstance(given, str) and len(given) >= 6 and given not in ours:
                    assert given not in problem["message"]

    def test_each_code_has_a_message_in_every_language(self, validator: Validator[Any]) -> None:
        """The catalogue of each locale that the validator knows has the code, and no gap is left in its text."""
        own, shipped = Catalogues(self.catalogues, "en"), Catalogues(None, "en")
        for given, code in self.invalid:
            for locale in own.locales:
                texts = {**(shipped.of(locale) if locale in shipped.locales else {}), **own.of(locale)}
                assert code in texts, f"{code} has no text in {locale!r}"
                (problem,) = _problems(validator, given, locale)
                assert not re.search("…$|…\\W|[{}]", problem["message"]), f"{code} in {locale!r}"

    def test_a_text_without_end_is_refused(self, validator: Validator[Any]) -> None:
        """The length is limited, and first."""
        for given in ("x", "1", "é", *(text for text, _ in self.valid if isinstance(text, str) and text)):
            with pytest.raises(ValidationFailed):
                validator.validate(_pumped(given, self.max_length + 1))

    def test_it_takes_linear_time(self, validator: Validator[Any]) -> None:
        """Twice the text takes less than three times as long, accepted or refused."""
        for pump in self._pumps():
            inputs = {size: _pumped(pump, size) for size in (_SIZE, 2 * _SIZE)}

            def apply(size: int, inputs: Mapping[int, Any] = inputs) -> None:
                with suppress(ValidationFailed):
                    validator.validate(inputs[size])

            assert growth(apply, _SIZE) < 3, f"slow on {inputs[_SIZE]!r:.40}"

    def test_other_types_are_refused_in_good_order(self, validator: Validator[Any]) -> None:
        """Whatever comes, as Python data or as JSON: it is accepted, or refused as invalid."""
        for given in _OTHERS:
            with suppress(ValidationFailed):
                validator.validate(given)
            with suppress(ValidationFailed):
                validator.validate_json(json.dumps(given, default=str).encode())

    def test_it_remembers_nothing(self, validator: Validator[Any]) -> None:
        """After all examples the rule says of itself what it said before; a copy of it does the same."""
        before = repr(self.rule)
        for given in self._refusable():
            with suppress(ValidationFailed):
                validator.validate(given)
        assert repr(self.rule) == before
        metadata = get_args(self.rule)[1:]
        assert copy.deepcopy(metadata) == metadata

    def test_json_schema_says_no_more_than_is_true(self) -> None:
        """A JSON Schema can be made, and what it limits holds for every valid input."""
        adapter = TypeAdapter(self.rule)
        adapter.json_schema(mode="serialization")
        said = adapter.json_schema()
        for given, _ in self.valid:
            if isinstance(given, str):
                assert re.search(said.get("pattern", ""), given), said["pattern"]
                assert said.get("minLength", 0) <= len(given) <= said.get("maxLength", math.inf)
            elif isinstance(given, (int, float, Decimal)):
                assert said.get("minimum", given) <= given <= said.get("maximum", given)

    def _pumps(self) -> list[Pump]:
        examples = [given for given, _ in (*self.valid, *self.invalid) if isinstance(given, str) and given]
        return [*self.hostile, *dict.fromkeys(examples[:3] + examples[-2:])]

    def _refusable(self) -> Iterator[Any]:
        for given, _ in (*self.invalid, *self.valid):
            yield given
            if isinstance(given, str):
                yield from (given + _CANARY, _CANARY + given, f"{_CANARY}\n{given}", f"{given}\ud800{_CANARY}")
        yield from (_CANARY, [_CANARY], {_CANARY: _CANARY}, _CANARY.encode())


def _failure(validator: Validator[Any], given: Any, locale: str | None = None) -> ValidationFailed | None:
    try:
        validator.validate(given, locale=locale)
    except ValidationFailed as error:
        return error
    return None


def _problems(validator: Validator[Any], given: Any, locale: str | None = None) -> list[dict[str, str]]:
    error = _failure(validator, given, locale)
    assert error is not None, "accepted"
    return error.errors


def _pumped(pump: Pump, size: int) -> Any:
    return (pump * (size // len(pump) + 1))[:size] if isinstance(pump, str) else pump(size)
