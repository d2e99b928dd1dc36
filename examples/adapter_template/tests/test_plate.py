"""It keeps what a rule promises; and definitions of forms may use it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import pytest

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.testing.contracts.rule import RuleContract
from postrmagic_core.validation.definitions import validator_for
from postrmagic_template.plate import CATALOGUES, PLATE, Plate


class TestPlate(RuleContract):
    """A plate of Berlin."""

    rule: ClassVar[Any] = Annotated[str, Plate(district="B")]
    valid = (("b-ab 123", "B-AB 123"), ("B-Y 1", "B-Y 1"))
    invalid = (("", "plate.form"), ("B-AB 0", "plate.form"), ("M-AB 123", "plate.district"))
    hostile = ("A", "B-", lambda size: "B-AB " + "1" * size)
    catalogues = CATALOGUES


def test_definitions_may_use_it() -> None:
    """Those that the application lets."""
    definition = {"fields": {"plate": {"type": "text", "max": 20, "rules": [{"rule": "plate", "district": "B"}]}}}
    form = validator_for(definition, rules={"plate": PLATE})
    with pytest.raises(ValidationFailed, match="must be a number plate of this district"):
        form.validate({"plate": "M-AB 123"})
