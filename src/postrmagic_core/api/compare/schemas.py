"""Comparing what two schemas admit, from the outermost field inwards."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from .alternatives import Flattening, canonical
from .documents import ABSENT, Document
from .findings import Findings
from .interface import Side
from .pairs import Inner, Pairs
from .sameness import Sameness


class Schemas:
    """Compares schemas of two documents.

    It walks without recursion, so that no depth is too deep. A pair of schemas is compared once under each root: what
    differs in a schema that a body holds at several places is told for the first of them.
    """

    def __init__(self, old: Document, new: Document, findings: Findings) -> None:
        self._old, self._new, self._findings = old, new, findings
        self._olds, self._news = Flattening(old), Flattening(new)
        self._known: dict[tuple[Side, int, int], Pairs] = {}
        self._kept: list[object] = []  # an object that is alive keeps its id for itself
        self.sameness = Sameness(old, new)

    def compare(self, side: Side, root: str, old: object, new: object) -> None:
        """Compare what clients send, or are sent, at ``root``."""
        tasks: deque[Inner] = deque([(old, new, "")])
        seen: set[tuple[int, int]] = set()
        while tasks:
            here, there, path = tasks.popleft()
            self.sameness.refer(here, there)
            if self.sameness.of(here, there):
                continue
            found = list(self._notes(side, here, there))
            key = (id(self._old.schema(here)), id(self._new.schema(there)))
            if key not in seen:
                seen.add(key)
                pairs = self._compared(side, key, here, there)
                found += pairs.found
                tasks += [(one, other, path + step) for one, other, step in pairs.inner]
            for code, step, words in found:
                self._findings.add(code, f"{root} {(path + step).lstrip('. ')}".rstrip(), words)

    def _compared(self, side: Side, key: tuple[int, int], old: object, new: object) -> Pairs:
        """What two schemas differ in, without what is inside them: looked at once, for all places that have them."""
        known = self._known.get((side, *key))
        if known is None:
            known = self._known[side, *key] = Pairs(side, self.sameness, self._old, self._new)
            known.compare(self._olds.of(old), self._news.of(new))
            self._kept.append((self._old.schema(old), self._new.schema(new)))
        return known

    def _notes(self, side: Side, old: object, new: object) -> Iterator[tuple[str, str, str]]:
        """What is told of a value and admits none the less: its default, and that it is to end."""
        was, is_now = self._old.note(old, "default"), self._new.note(new, "default")
        if was is not is_now:
            shown = [canonical(each) if each is not ABSENT else None for each in (was, is_now)]
            if None not in shown and shown[0] != shown[1]:
                yield f"{side}.default_changed", "", f"the default was {shown[0]}, is {shown[1]}"
            elif shown[0] != shown[1]:
                told = f"the default {shown[1]} is told" if shown[0] is None else f"the default {shown[0]} is not told"
                yield f"{side}.default_moved", "", told
        ended = self._old.note(old, "deprecated") is True, self._new.note(new, "deprecated") is True
        if ended[0] != ended[1]:
            code, words = ("deprecated", "is") if ended[1] else ("deprecation_removed", "is not")
            yield f"{side}.{code}", "", f"the field {words} deprecated"
