"""A rule: a number plate as German cars have it, accepted in any case and kept in capitals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from postrmagic_core.validation import invalid
from postrmagic_core.validation.messages import Catalogue
from postrmagic_core.validation.rule import TextRule, require
from postrmagic_core.validation.rules.named import named_rule

_FORM = re.compile(r"[A-ZÄÖÜ]{1,3}-[A-Z]{1,2} [1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class Plate(TextRule):
    """``Annotated[str, Plate()]``; with ``district`` one of there: ``"B"``."""

    district: str = ""

    def __post_init__(self) -> None:
        require(len(self.district) <= 3, "Plate: a district has one to three letters")

    def _limit(self) -> int:  # characters, looked at before anything else
        return 20

    def _check(self, value: str) -> str:  # returns what is kept, or raises
        plate = value.upper()
        if not _FORM.fullmatch(plate):
            raise invalid("plate.form", "must be a number plate")
        if self.district and not plate.startswith(f"{self.district}-"):
            raise invalid("plate.district", "must be a number plate of this district")
        return plate


CATALOGUES: Mapping[str, Catalogue] = {
    "en": {"plate.form": "must be a number plate", "plate.district": "must be a number plate of this district"},
    "de": {"plate.form": "muss ein Kennzeichen sein", "plate.district": "muss ein Kennzeichen dieses Bezirks sein"},
}

PLATE = named_rule("plate", Plate, kinds="text", parameters={"district": str})  # for definitions of forms
