"""Integers, doubles and decimals, there and back. Pure.

In a column of integer or numeric affinity SQLite makes an integer of every real that is one, so that the class of a
number follows from its value (https://sqlite.org/datatype3.html, 3); elsewhere a real stays one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from ..interface import Value
from ..source.schema import Affinity
from .common import NULL_CANONICAL, NULL_FIELD, all_of, first, foreign, present, with_nulls

INTEGER_BYTES: Final = {"TINYINT": 1, "SMALLINT": 2, "MEDIUMINT": 3, "INT": 4, "INTEGER": 4, "BIGINT": 8}
_INTEGERS = frozenset({int})
_REALS = frozenset({float})
_NUMBERS = frozenset({int, float})
_LEAST, _MOST = -(2**63), 2**63
# The server writes doubles from here on, and below its reciprocal, with an exponent.
_LONGEST = 1e15
_DIGITS_OF_DOUBLE = 15
_DIGITS = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?")


class IntegerForm:
    """TINYINT to BIGINT: integers within the type's range."""

    def __init__(self, size: int, unsigned: bool, nullable: bool) -> None:
        half = 2 ** (8 * size - 1)
        self._least = 0 if unsigned else -half
        self._most = 2 * half - 1 if unsigned else half - 1
        self._nullable = nullable

    def misfit(self, values: Sequence[Value]) -> int | None:
        """See :class:`.forms.form.Form`."""
        if all_of(values, kinds=_INTEGERS, nullable=self._nullable):
            numbers: Any = present(values)
            if not numbers or (self._least <= min(numbers) and max(numbers) <= self._most):
                return None
        return first(values, self._fits, nullable=self._nullable)

    def fields(self, values: Sequence[Value]) -> list[bytes]:
        """See :class:`.forms.form.Form`."""
        return _listed(values, NULL_FIELD)

    def parameters(self, values: Sequence[Value]) -> list[object]:
        """See :class:`.forms.form.Form`."""
        return list(values)

    def canonicals(self, values: Sequence[Value]) -> list[bytes]:
        """See :class:`.forms.form.Form`."""
        if all_of(values, kinds=_INTEGERS, nullable=True):
            return _listed(values, NULL_CANONICAL)
        return [
            NULL_CANONICAL if value is None else b"%d" % value if type(value) is int else foreign(value)
            for value in values
        ]

    def canonical_sql(self, column: str) -> str:
        """See :class:`.forms.form.Form`."""
        return f"COALESCE({column}, 'N')"

    def select_sql(self, column: str) -> str:
        """See :class:`.forms.form.Form`."""
        return column

    def back(self, stored: Any) -> Value:
        """See :class:`.forms.form.Form`."""
        return None if stored is None else int(stored)

    def _fits(self, value: Value) -> bool:
        return type(value) is int and self._least <= value <= self._most


class _NumberForm:
    """What doubles and decimals share: integers among them, where the affinity tells these from reals."""

    def __init__(self, affinity: Affinity, nullable: bool) -> None:
        self._whole = affinity in ("integer", "numeric")
        self._nullable = nullable

    def parameters(self, values: Sequence[Value]) -> list[object]:
        """See :class:`.forms.form.Form`; as text, which the server reads as it reads a field."""
        return [None if value is None else self._text(value) for value in values]

    def canonical_sql(self, column: str) -> str:
        """See :class:`.forms.form.Form`."""
        return f"COALESCE({column}, 'N')"

    def select_sql(self, column: str) -> str:
        """See :class:`.forms.form.Form`."""
        return column

    def misfit(self, values: Sequence[Value]) -> int | None:
        """See :class:`.forms.form.Form`."""
        return first(values, self._fits, nullable=self._nullable)

    def _text(self, value: Value) -> str:
        raise NotImplementedError

    def _fits(self, value: Value) -> bool:
        raise NotImplementedError

    def _stays(self, value: float) -> bool:
        """Whether a real is not one that the affinity makes an integer, nor a negative zero, which MariaDB has not."""
        if value == 0:
            return not self._whole and math.copysign(1, value) > 0
        return not (self._whole and value.is_integer() and _LEAST <= value < _MOST)


class DoubleForm(_NumberForm):
    """DOUBLE: finite doubles but -0.0, and integers that are the same number, where the affinity gives them back."""

    def misfit(self, values: Sequence[Value]) -> int | None:
        """See :class:`.forms.form.Form`."""
        if self._is_plain(values, nullable=self._nullable):
            return None
        return super().misfit(values)

    def fields(self, values: Sequence[Value]) -> list[bytes]:
        """See :class:`.forms.form.Form`."""
        return _listed(values, NULL_FIELD)

    def canonicals(self, values: Sequence[Value]) -> list[bytes]:
        """See :class:`.forms.form.Form`."""
        if self._is_plain(values, nullable=True):
            text = repr(list(values))[1:-1].replace("None", "N") + ", "
            numbers: Any = present(values)
            if "e" not in text and (not numbers or (min(numbers) > -_LONGEST and max(numbers) < _LONGEST)):
                return text.replace(".0, ", ", ").encode().split(b", ")[: len(values)]
        return [NULL_CANONICAL if value is None else self._canonical(value) for value in values]

    def back(self, stored: Any) -> Value:
        """See :class:`.forms.form.Form`."""
        if stored is None:
            return None
        number = float(stored)
        whole = self._whole and number.is_integer() and _LEAST <= number < _MOST
        return int(number) if whole else number

    def _is_plain(self, values: Sequence[Value], *, nullable: bool) -> bool:
        """Whether all are finite reals that surely stay what they are."""
        if not all_of(values, kinds=_REALS, nullable=nullable):
            return False
        numbers: Any = present(values)
        if 0.0 in numbers and not all(map(self._stays, numbers)):
            return False
        return all(map(math.isfinite, numbers)) and not (self._whole and any(map(float.is_integer, numbers)))

    def _canonical(self, value: Value) -> bytes:
        return as_server(float(value)).encode() if self._fits(value) else foreign(value)  # type: ignore[arg-type]  # a number

    def _text(self, value: Value) -> str:
        return repr(value)

    def _fits(self, value: Value) -> bool:
        if type(value) is int:
            return self._whole and _LEAST <= value < _MOST and int(float(value)) == value
        return type(value) is float and math.isfinite(value) and self._stays(value)


class DecimalForm(_NumberForm):
    """DECIMAL(p, s): numbers that s digits after the point tell from every other."""

    def __init__(self, precision: int, scale: int, affinity: Affinity, nullable: bool) -> None:
        super().__init__(affinity, nullable)
        self._scale = scale
        # Then no two of them are the same double.
        self._precise = precision <= _DIGITS_OF_DOUBLE
        self._most = 10 ** (precision - scale)
        self._real = f"%.{scale}f"
        self._integer = "%d." + "0" * scale if scale else "%d"
        # How a whole number ends in a list.
        self._zeros = "." + "0" * scale + ";"

    def misfit(self, values: Sequence[Value]) -> int | None:
        """See :class:`.forms.form.Form`."""
        if (self._nullable or None not in values) and self._exact(values) is not None:
            return None
        return super().misfit(values)

    def fields(self, values: Sequence[Value]) -> list[bytes]:
        """See :class:`.forms.form.Form`."""
        shown = self._written(values)
        if shown is not None:
            return with_nulls(values, shown.encode().split(b";")[:-1], NULL_FIELD)
        return [NULL_FIELD if value is None else self._text(value).encode() for value in values]

    def canonicals(self, values: Sequence[Value]) -> list[bytes]:
        """See :class:`.forms.form.Form`."""
        exact = self._exact(values)
        if exact is not None:
            return with_nulls(values, exact, NULL_CANONICAL)
        return [
            NULL_CANONICAL if value is None else self._text(value).encode() if self._fits(value) else foreign(value)
            for value in values
        ]

    def back(self, stored: Any) -> Value:
        """See :class:`.forms.form.Form`."""
        if stored is None:
            return None
        number = Decimal(str(stored))
        if self._whole and _LEAST <= number < _MOST and number == number.to_integral_value():
            return int(number)
        found = float(number)
        return found if self._precise or Decimal(self._real % found) == number else str(stored)

    def _written(self, values: Sequence[Value]) -> str | None:
        """All that are not NULL, each with ``;`` behind it; None where one may need more digits than a double has."""
        if not self._scale or not all_of(values, kinds=_NUMBERS if self._whole else _REALS, nullable=True):
            return None
        numbers: Any = present(values)
        most = min(self._most, _LONGEST)
        if numbers and (min(numbers) <= -most or max(numbers) >= most):
            return None
        return (self._real + ";") * len(numbers) % tuple(numbers)

    def _exact(self, values: Sequence[Value]) -> list[bytes] | None:
        """All that are not NULL, as written; None where one may not fit, or it takes a second look to know."""
        text = self._written(values)
        if text is None:
            return None
        numbers: Any = present(values)
        integers = sum(map(_INTEGERS.__contains__, map(type, numbers))) if self._whole else text.count(self._zeros)
        if "-0" + self._zeros in text or text.count(self._zeros) != integers:
            return None
        same = list(map(float, text.split(";")[:-1])) == list(numbers)
        return text.encode().split(b";")[:-1] if same else None

    def _text(self, value: Value) -> str:
        return (self._integer if type(value) is int else self._real) % value

    def _fits(self, value: Value) -> bool:
        if type(value) is int:
            return self._whole and _LEAST <= value < _MOST and -self._most < value < self._most
        if type(value) is not float or not -self._most < value < self._most:
            return False
        return float(self._real % value) == value and self._stays(value)


def as_server(value: float) -> str:
    """A finite double as MySQL and MariaDB write it: the shortest digits that are the same double."""
    found = _DIGITS.fullmatch(repr(value))
    if found is None:
        raise ValueError(f"{value!r} is not finite")
    sign, whole, fraction, exponent = found[1], found[2], found[3] or "", int(found[4] or 0)
    point = len(whole) + exponent
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    if not digits:
        return sign + "0"
    if -15 < point <= 15 or point == 16 < len(digits):
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        return sign + digits.ljust(point, "0")[:point] + ("." + digits[point:] if len(digits) > point else "")
    rest = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{point - 1}"


def _listed(values: Sequence[Value], null: bytes) -> list[bytes]:
    """Numbers as Python writes them; a whole list is written at once."""
    return repr(list(values))[1:-1].encode().replace(b"None", null).split(b", ") if values else []
