"""Which alternative of the old schema became which of the new one, and what differs between the two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from .alternatives import ANY, UNDECIDABLE, Alternative, constants
from .documents import Document
from .findings import field, item
from .interface import Side
from .rules import BOUNDS, FORMS, snake
from .sameness import Sameness

Inner: TypeAlias = "tuple[object, object, str]"
_Told: TypeAlias = "list[tuple[Alternative, Alternative]]"

_JUDGED = {"properties", "required", "additionalProperties", "items", "prefixItems", "enum", *BOUNDS, *FORMS}


class Pairs:
    """Compares lists of alternatives on one side of the wire.

    ``found`` is what differs: code, the steps to it from here, and words. ``inner`` are the schemas inside that are to
    be compared, each pair with the step to it.
    """

    def __init__(self, side: Side, sameness: Sameness, old: Document, new: Document) -> None:
        self._side, self._sameness, self._old, self._new = side, sameness, old, new
        self.found: list[tuple[str, str, str]] = []
        self.inner: list[Inner] = []

    def compare(self, olds: Sequence[Alternative], news: Sequence[Alternative]) -> None:
        """Note what differs, and what is inside."""
        if any(one.type == UNDECIDABLE for one in (*olds, *news)):
            self._undecided("the schemas differ, in a way that structure does not tell")
            return
        rest_old, rest_new = list(olds), list(news)
        for one in olds:
            twin = next((other for other in rest_new if self._sameness.of_alternatives(one, other)), None)
            if twin is not None:
                rest_old.remove(one)
                rest_new.remove(twin)
        pairs = self._paired(rest_old, rest_new)
        self._left(rest_old, rest_new)
        for one, other in pairs:
            self._inside(one, other)

    def _paired(self, olds: list[Alternative], news: list[Alternative]) -> _Told:
        """Take the pairs out of both lists: by name, by what tells them apart, then by a type that is the only one."""
        pairs: _Told = []
        for key in (_named, _tagged, _constant, _typed, _numeric):
            keys = [key(self._old, one) for one in olds], [key(self._new, one) for one in news]
            pairs += _matched(olds, news, keys)
        return pairs

    def _left(self, olds: Sequence[Alternative], news: Sequence[Alternative]) -> None:
        """Alternatives without a counterpart: types that came and went."""
        was, is_now = _shown(olds), _shown(news)
        if any(one.type == ANY and not one.keys for one in olds):
            self._add("type_narrowed", "", f"was of any type, is {is_now or 'not'}")
            return
        if any(one.type == ANY and not one.keys for one in news):
            self._add("type_widened", "", f"was {was or 'nothing'}, may be of any type")
            return
        for code, some, words in (
            ("null_removed", olds, "cannot be null any more"),
            ("null_added", news, "may be null"),
        ):
            if any(one.type == "null" for one in some):
                self._add(code, "", words)
        was, is_now = (_shown([one for one in some if one.type != "null"]) for some in (olds, news))
        if was and is_now:
            self._add("type_changed", "", f"was {was}, is {is_now}")
        elif was:
            self._add("type_narrowed", "", f"cannot be {was} any more")
        elif is_now:
            self._add("type_widened", "", f"may be {is_now}, too")

    def _inside(self, old: Alternative, new: Alternative) -> None:
        if old.type != new.type:
            code = "type_narrowed" if new.type == "integer" else "type_widened"
            self._add(code, "", f"was {old.type}, is {new.type}")
        here, there = old.keys, new.keys
        self._limits(here, there)
        self._values(here.get("enum"), there.get("enum"))
        for keyword in sorted((here.keys() | there.keys()) - _JUDGED):
            if not (
                keyword in here
                and keyword in there
                and self._sameness.of_keyword(keyword, here[keyword], there[keyword])
            ):
                self._undecided(f"{keyword} differs, which is compared only as a whole")
        self._items(here, there)
        self._fields(here, there)

    def _limits(self, here: Mapping[str, Any], there: Mapping[str, Any]) -> None:
        for keyword in (*BOUNDS, *FORMS):
            was, is_now = here.get(keyword), there.get(keyword)
            if was == is_now:
                continue
            if was is None or is_now is None:
                way = "tightened" if was is None else "loosened"
            elif keyword in BOUNDS:
                way = "tightened" if (is_now > was) == (BOUNDS[keyword] > 0) else "loosened"
            else:
                way = _multiple(was, is_now) if keyword == "multipleOf" else "changed"
            self._add(f"{snake(keyword)}_{way}", "", f"{keyword} was {_limit(was)}, is {_limit(is_now)}")

    def _values(self, old: frozenset[str] | None, new: frozenset[str] | None) -> None:
        if old is None or new is None:
            if old is not new:
                code = "values_limited" if old is None else "values_freed"
                self._add(code, "", f"only listed values were possible: {'no' if old is None else 'yes'} before")
            return
        for code, values, words in (
            ("value_removed", old - new, "is not possible any more"),
            ("value_added", new - old, "is possible"),
        ):
            for value in values:
                self._add(code, f" {ascii(value)[1:-1]}", f"the value {words}")

    def _fields(self, here: Mapping[str, Any], there: Mapping[str, Any]) -> None:
        olds, news = here.get("properties", {}), there.get("properties", {})
        required = here.get("required", frozenset()), there.get("required", frozenset())
        for name in sorted({*olds, *news, *required[0], *required[1]}):
            was, is_now = (
                name in fields and document.schema(fields[name]) is not False
                for document, fields in ((self._old, olds), (self._new, news))
            )
            at = field(name)
            if was and is_now:
                self.inner.append((olds[name], news[name], at))
            elif was or (name in news and name not in olds and not is_now):
                self._add("field_removed", at, "the field is not taken or given any more")
            elif is_now:
                if isinstance(here.get("additionalProperties"), Mapping):  # it was one of these before
                    self.inner.append((here["additionalProperties"], news[name], at))
                self._added(at, name in required[1], here.get("additionalProperties") is False)
            if was == is_now and (name in required[0]) != (name in required[1]):
                code, words = (
                    ("field_required", "must be there") if name in required[1] else ("field_optional", "may be missing")
                )
                self._add(code, at, f"the field {words}")
        closed = [each.get("additionalProperties", True) for each in (here, there)]
        if (closed[0] is False) != (closed[1] is False):
            code, words = ("closed", "are not possible any more") if closed[1] is False else ("opened", "are possible")
            self._add(code, "", f"other fields {words}")
        elif closed[0] is not False:
            self.inner.append((closed[0], closed[1], field("*")))

    def _added(self, at: str, required: bool, closed: bool) -> None:
        if self._side == "request":
            self._add("required_field_added" if required else "field_added", at, "the field is new")
        else:
            self._add("unexpected_field_added" if closed else "field_added", at, "the field is new")

    def _items(self, here: Mapping[str, Any], there: Mapping[str, Any]) -> None:
        first = here.get("prefixItems", ()), there.get("prefixItems", ())
        rest = here.get("items", True), there.get("items", True)
        for index in range(max(map(len, first))):
            one, other = (
                prefix[index] if index < len(prefix) else more for prefix, more in zip(first, rest, strict=True)
            )
            self.inner.append((one, other, item(str(index))))
        self.inner.append((rest[0], rest[1], item()))

    def _add(self, code: str, at: str, words: str) -> None:
        self.found.append((f"{self._side}.{code}", at, words))

    def _undecided(self, words: str) -> None:
        self.found.append(("undecided", "", words))


def _named(_document: Document, one: Alternative) -> object:
    return (one.type, one.name) if one.name else None


def _tagged(_document: Document, one: Alternative) -> object:
    return str(one.keys["discriminator"]) if "discriminator" in one.keys else None


def _constant(document: Document, one: Alternative) -> object:
    found = constants(document, one) if one.type == "object" else {}
    return str(sorted((name, sorted(values)) for name, values in found.items())) if found else None


def _typed(_document: Document, one: Alternative) -> object:
    return one.type


def _numeric(_document: Document, one: Alternative) -> object:
    return one.type in ("integer", "number") or None


def _matched(olds: list[Alternative], news: list[Alternative], keys: tuple[list[object], list[object]]) -> _Told:
    """Take out of both lists the pairs of one key, where no other alternative of its list has that key."""
    counts = Counter(keys[0]), Counter(keys[1])
    shared = [key for key in counts[0] if key is not None and counts[0][key] == counts[1][key] == 1]
    pairs = [(olds[keys[0].index(key)], news[keys[1].index(key)]) for key in shared]
    olds[:] = [one for one, key in zip(olds, keys[0], strict=True) if key not in shared]
    news[:] = [one for one, key in zip(news, keys[1], strict=True) if key not in shared]
    return pairs


def _multiple(was: Any, is_now: Any) -> str:
    if isinstance(was, int) and isinstance(is_now, int) and was > 0 and is_now > 0:
        if is_now % was == 0:
            return "tightened"
        if was % is_now == 0:
            return "loosened"
    return "changed"


def _limit(bound: Any) -> str:
    if bound is None:
        return "not set"
    if isinstance(bound, tuple):
        return f"{bound[0]:g}" + (" exclusive" if bound[1] else "")
    return ascii(bound)


def _shown(some: Sequence[Alternative]) -> str:
    return " or ".join(sorted({one.name.rpartition("/")[2] or one.type for one in some}))
