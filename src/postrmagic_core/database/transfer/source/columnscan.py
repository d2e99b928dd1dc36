"""What is stored in one column, added up batch by batch, a whole batch at a time: that is what makes it fast."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from itertools import repeat

from ..interface import Key, Value
from .grammar import Grammar, grammar_of, written
from .schema import ColumnStats

# How many rows of one kind are shown; the others are counted.
EXAMPLES = 5
_FRACTION = re.compile(r"\.(?!0(?:,|\Z))(\d+)")
_EXPONENT = re.compile(r"(-?)(\d)(?:\.(\d+))?e([+-]\d+)")

Stored = Value | bytearray
KeyOf = Callable[[int], Key]


class ColumnScan:
    """The statistics of one column so far; texts are given as :class:`bytearray`, bytes as :class:`bytes`."""

    def __init__(self) -> None:
        self._counts: dict[type, int] = {}
        self._least = self._greatest = 0
        self._whole = self._fraction = 0
        self._characters = self._bytes = self._four_byte = 0
        self._shortest: int | None = None
        self._trailing_spaces = 0
        self._ascii = True
        self._grammar: Grammar | None = None
        self._dated = True
        self._seen: dict[str, tuple[Key, Value]] = {}
        self._misfits = 0
        self._misfit_keys: list[tuple[Key, str]] = []

    def add(self, values: Sequence[Stored], key_of: KeyOf) -> None:
        """Add a batch; ``key_of`` tells the key of one of its rows."""
        kinds = set(map(type, values))
        for kind in kinds:
            here = values if len(kinds) == 1 else [value for value in values if type(value) is kind]
            new = kind not in self._counts
            self._counts[kind] = self._counts.get(kind, 0) + len(here)
            if kind is int:
                self._add_integers(here, new=new)  # type: ignore[arg-type]  # all are integers
            elif kind is float:
                self._add_reals(here, values, key_of)  # type: ignore[arg-type]  # all are floats
            elif kind is bytearray:
                self._add_texts(here, values, key_of)  # type: ignore[arg-type]  # all are texts
            elif kind is bytes:
                self._measure(list(map(len, here)))  # type: ignore[arg-type]  # all are bytes
            if new and kind is not type(None):
                row = next(at for at, value in enumerate(values) if type(value) is kind)
                self._seen[_CLASSES[kind]] = (key_of(row), _example(values[row]))

    def stats(self) -> ColumnStats:
        """All that was added."""
        count = self._counts.get
        if int in self._counts:
            self._whole = max(self._whole, len(str(max(abs(self._least), abs(self._greatest)))))
        grammar = self._grammar if self._dated and self._grammar else Grammar("")
        return ColumnStats(
            nulls=count(type(None), 0),
            integers=count(int, 0),
            reals=count(float, 0),
            texts=count(bytearray, 0),
            blobs=count(bytes, 0),
            least=self._least,
            greatest=self._greatest,
            whole_digits=self._whole,
            fraction_digits=self._fraction,
            characters=self._characters,
            bytes=self._bytes,
            four_byte=self._four_byte,
            grammar=grammar.form,
            grammar_digits=grammar.digits,
            fewest_bytes=self._shortest or 0,
            trailing_spaces=self._trailing_spaces,
            ascii=self._ascii,
            seen=tuple((kind, *example) for kind, example in self._seen.items()),
            misfits=self._misfits,
            misfit_keys=tuple(self._misfit_keys),
        )

    def _add_integers(self, numbers: Sequence[int], *, new: bool) -> None:
        least, greatest = min(numbers), max(numbers)
        self._least = least if new else min(self._least, least)
        self._greatest = greatest if new else max(self._greatest, greatest)

    def _add_reals(self, numbers: Sequence[float], values: Sequence[Stored], key_of: KeyOf) -> None:
        if not all(map(math.isfinite, numbers)):
            self._misfit(values, key_of, lambda value: type(value) is float and not math.isfinite(value), "infinite")
            numbers = [number for number in numbers if math.isfinite(number)]
        # SQLite makes 0 of it wherever numbers have an affinity.
        if 0.0 in numbers and any(map(_is_negative_zero, numbers)):
            self._misfit(values, key_of, _is_negative_zero, "negative zero")
        texts = list(map(repr, numbers))
        if "e" in "".join(texts):
            texts = [_without_exponent(text) if "e" in text else text for text in texts]
        # All at once: a fraction of 0 is none.
        fractions = _FRACTION.findall(",".join(texts))
        self._fraction = max(self._fraction, *map(len, fractions), 0)
        self._whole = max(self._whole, len(str(int(max(map(abs, numbers), default=0.0)))))

    def _add_texts(self, texts: Sequence[bytearray], values: Sequence[Stored], key_of: KeyOf) -> None:
        sizes = list(map(len, texts))
        self._measure(sizes)
        self._trailing_spaces += sum(map(bytearray.endswith, texts, repeat(b" ")))
        if all(map(bytearray.isascii, texts)):
            self._characters = max(self._characters, *sizes)
            decoded = list(map(bytearray.decode, texts)) if self._dated else []
        else:
            decoded = self._decode(texts, values, key_of)
        if self._dated and decoded:
            self._grammar = self._grammar or grammar_of(decoded[0])
            self._dated = self._grammar is not None and written(decoded, self._grammar)

    def _decode(self, texts: Sequence[bytearray], values: Sequence[Stored], key_of: KeyOf) -> list[str]:
        self._ascii = False
        try:
            decoded = list(map(bytearray.decode, texts))
        except UnicodeDecodeError:
            self._misfit(values, key_of, _is_broken, "not UTF-8")
            decoded = list(map(bytearray.decode, texts, repeat("utf-8"), repeat("surrogateescape")))
            self._dated = False
        self._characters = max(self._characters, *map(len, decoded))
        if _has_four_byte("".join(decoded)):
            self._four_byte += sum(map(_has_four_byte, decoded))
        return decoded

    def _measure(self, sizes: list[int]) -> None:
        self._bytes = max(self._bytes, *sizes)
        self._shortest = min(sizes) if self._shortest is None else min(self._shortest, *sizes)

    def _misfit(self, values: Sequence[Stored], key_of: KeyOf, wrong: Callable[[Stored], bool], what: str) -> None:
        rows = [at for at, value in enumerate(values) if wrong(value)]
        self._misfits += len(rows)
        room = EXAMPLES - len(self._misfit_keys)
        self._misfit_keys += [(key_of(row), what) for row in rows[:room]]


_CLASSES: dict[type, str] = {int: "integer", float: "real", bytearray: "text", bytes: "blob"}


def _without_exponent(text: str) -> str:
    """The same double with all its digits."""
    found = _EXPONENT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text} is no finite double")
    digits, point = found[2] + (found[3] or ""), 1 + int(found[4])
    if point <= 0:
        return f"0.{'0' * -point}{digits}"
    return f"{digits[:point].ljust(point, '0')}.{digits[point:] or '0'}"


def _is_negative_zero(value: Stored) -> bool:
    return isinstance(value, float) and value == 0 and math.copysign(1, value) < 0


def _is_broken(value: Stored) -> bool:
    if not isinstance(value, bytearray):
        return False
    try:
        value.decode()
    except UnicodeDecodeError:
        return True
    return False


def _has_four_byte(text: str) -> bool:
    # UTF-16 needs a second unit for what UTF-8 writes in four bytes: found without a look at each character.
    return len(text.encode("utf-16-le", "surrogatepass")) > 2 * len(text)


def _example(value: Stored) -> Value:
    """The beginning of a value: enough to know it by."""
    if isinstance(value, bytearray):
        return value[:200].decode(errors="replace")
    return value[:200] if isinstance(value, bytes) else value
