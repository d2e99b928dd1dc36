"""Spans where nobody records them, and the words in which whoever does is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import postrmagic_core
from postrmagic_core._spans import NO_SPAN, UNRECORDED, Recorder, carried, span, spans
from postrmagic_core.errors import AlreadyDone


class Diary:
    """A recorder that notes what it is told."""

    def __init__(self, begins: object = "begun") -> None:
        self.told: list[tuple[Any, ...]] = []
        self._begins = begins

    def admits(self, parent: Mapping[str, str], /) -> bool:
        """All."""
        return True

    def begin(self, *first: Any) -> object:
        """Note it."""
        self.told.append(("begin", *first))
        return self._begins

    def end(self, begun: object, error: Any = None, *, name: str = "", told: Any = None) -> None:
        """Note it."""
        self.told.append(("end", begun, type(error).__name__, dict(told)))

    def fail(self, error: BaseException) -> None:
        """Nothing."""

    def statement(self, *told: Any) -> None:
        """Nothing."""

    def carried(self) -> dict[str, str]:
        """Something."""
        return {"trace_id": "t"}


@pytest.fixture
def diary(monkeypatch: pytest.MonkeyPatch) -> Diary:
    """Who records."""
    diary = Diary()
    recorder: Recorder = diary
    monkeypatch.setattr(spans, "installed", recorder)
    return diary


def test_nobody_records_as_a_rule() -> None:
    """A block is no span then, and nothing is taken along."""
    assert spans.recorder is None
    assert span("a", "internal", {}) is NO_SPAN
    with span("a", "internal", {}) as none:
        none.tell({"b": 1})
    assert carried() == {}


def test_a_block_is_a_span(diary: Diary) -> None:
    """Begun with what is known, ended with what was learnt; an error is told and goes on."""
    with span("a", "client", {"b": 1}, {"trace_id": "t"}) as inner:
        inner.tell({"c": 2})
    with pytest.raises(KeyError), span("d", "internal", {}):
        raise KeyError
    assert diary.told == [
        ("begin", "a", "client", {"b": 1}, {"trace_id": "t"}),
        ("end", "begun", "NoneType", {"c": 2}),
        ("begin", "d", "internal", {}, None),
        ("end", "begun", "KeyError", {}),
    ]
    assert carried() == {"trace_id": "t"}


@pytest.mark.parametrize("error", [AlreadyDone("once"), GeneratorExit()])
def test_what_is_no_failure(error: BaseException, diary: Diary) -> None:
    """What is done already, and a generator that nobody reads on."""
    with pytest.raises(type(error)), span("a", "internal", {}):
        raise error
    assert diary.told[1] == ("end", "begun", "NoneType", {})


def test_what_was_not_begun_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorder may see nothing to record."""
    diary = Diary(begins=None)
    monkeypatch.setattr(spans, "installed", diary)
    with span("a", "internal", {}):
        pass
    assert [told[0] for told in diary.told] == ["begin"]


def test_no_room_knows_opentelemetry() -> None:
    """Whoever does not trace neither needs it nor pays for it: only what records imports it, and what sends logs."""
    root = Path(postrmagic_core.__file__).parent
    imports = re.compile(r"^\s*(?:from|import)\s+opentelemetry", re.MULTILINE)
    found = {path.relative_to(root).parts[:2] for path in root.rglob("*.py") if imports.search(path.read_text("utf-8"))}
    assert found == {("observability", "traces"), ("log", "forwarding")}


def test_within_what_is_not_recorded_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of most requests and jobs no span is kept: what they do costs one look, and what they send on says so."""
    diary = Diary(begins=UNRECORDED)
    monkeypatch.setattr(spans, "installed", diary)
    asked = [spans.recorder]
    with span("run", "consumer", {}, {}):
        asked.append(spans.recorder)
        assert span("a", "internal", {}) is NO_SPAN
        assert carried() == {"trace_flags": "00"}
    assert [*asked, spans.recorder] == [diary, None, diary]
    assert [told[0] for told in diary.told] == ["begin"]
