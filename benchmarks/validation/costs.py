"""One input checked by :class:`Validator`, by bare pydantic on the same model, and by other libraries."""

from __future__ import annotations

import contextlib
from functools import partial

from pydantic import TypeAdapter, ValidationError

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.validation import Validator

from .._harness import Bench, Case
from . import peers
from .models import BODY, TEN_PROBLEMS, VALID, Poster

OURS, BARE = "Validator", "pydantic's TypeAdapter"
MARSHMALLOW, CERBERUS, CERBERUS_BARE = "marshmallow", "Cerberus", "Cerberus, normalize=False"
PROBLEMS = 10


def beside_pydantic(bench: Bench) -> None:
    """``validate_time_ratio``, ``validate_json_time_ratio`` and ``invalid_time_ratio``, over the same model bare.

    Bare pydantic knows no limits and takes JSON with names given twice. Of an invalid input its errors are read, too,
    as an answer needs them: without the input.
    """
    validator, bare = Validator(Poster), TypeAdapter(Poster)

    def refused() -> int:
        try:
            validator.validate(TEN_PROBLEMS)
        except ValidationFailed as error:
            return len(error.errors)
        return 0

    def refused_bare() -> int:
        try:
            bare.validate_python(TEN_PROBLEMS)
        except ValidationError as error:
            return len(error.errors(include_url=False, include_input=False))
        return 0

    if (refused(), refused_bare()) != (PROBLEMS, PROBLEMS):
        raise AssertionError("the invalid input was expected to have ten problems")
    for title, figure, ours, theirs in (
        (
            "a valid mapping",
            "validate_time_ratio",
            partial(validator.validate, VALID),
            partial(bare.validate_python, VALID),
        ),
        (
            "a valid JSON text",
            "validate_json_time_ratio",
            partial(validator.validate_json, BODY),
            partial(bare.validate_json, BODY),
        ),
        ("a mapping with ten problems", "invalid_time_ratio", refused, refused_bare),
    ):
        cases = [Case(OURS, ours), Case(BARE, theirs)]
        found = bench.pair(title, cases, rounds=bench.repeats(120, 30), calls=5, batch=100)
        bench.figure(figure, found.time_ratio(OURS, BARE))
        bench.figure(figure.replace("_time_ratio", "_us"), found[OURS].median * 1e6)


def beside_peers(bench: Bench) -> None:
    """``marshmallow_speedup`` and ``cerberus_speedup``: how many times as fast a valid mapping is checked.

    ``cerberus_speedup.bare``: over Cerberus told not to normalize, which then only checks.
    """
    validator = Validator(Poster)
    cases = [Case(OURS, partial(validator.validate, VALID))]
    for name, load in (
        (MARSHMALLOW, peers.marshmallow),
        (CERBERUS, peers.cerberus),
        (CERBERUS_BARE, partial(peers.cerberus, normalize=False)),
    ):
        check = bench.peer(name, load)
        if check is None:
            continue
        if not check(VALID) or check(TEN_PROBLEMS):
            raise AssertionError(f"{name} was expected to accept the valid input only")
        cases.append(Case(name, partial(check, VALID)))
    found = bench.pair("a valid mapping", cases, rounds=bench.repeats(60, 15), calls=3, batch=10)
    for name, figure in (
        (MARSHMALLOW, "marshmallow_speedup"),
        (CERBERUS, "cerberus_speedup"),
        (CERBERUS_BARE, "cerberus_speedup.bare"),
    ):
        with contextlib.suppress(KeyError):
            bench.figure(figure, found.rate_ratio(OURS, name))
