"""A story out of records: spans in each other, lines in their spans, and what has no span in its request or job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..._clock import from_us
from ..query_time import us_of
from .interface import Branch, Record, Story

_LONGEST_MS = 1e12
_DEEPEST = 100
_LEADS = ("trace_id", "request_id", "job_id")
_SPANS = "postrmagic_core.observability.traces"
_REQUEST = "postrmagic_core.middleware.access"


def story(id_text: str, records: Sequence[Record], *, complete: bool) -> Story:
    """The story that ``records``, oldest first, tell."""
    ids = {name: list(dict.fromkeys(_texts(records, name))) for name in _LEADS}
    times = [(_began(record), record) for record in records]
    known = [us for us, _ in times if us is not None]
    began = min(known, default=None)
    ends = [us for us in map(us_of, (record.get("ts") for record in records)) if us is not None]
    seconds = (max([*known, *ends]) - began) / 1e6 if began is not None else 0.0
    branches = _Tree(began or 0).grown(records)
    return Story(
        id=id_text,
        ids={name: found for name, found in ids.items() if found},
        began=None if began is None else from_us(began),
        seconds=seconds,
        records=len(records),
        complete=complete,
        branches=branches,
    )


class _Tree:
    def __init__(self, began: int) -> None:
        self._began = began
        self._spans: dict[str, Branch] = {}
        self._groups: dict[tuple[str, str], Branch] = {}
        self._roots: list[Branch] = []

    def grown(self, records: Sequence[Record]) -> list[Branch]:
        for record in records:
            if _is_span(record):
                self._spans.setdefault(
                    str(record["span_id"]), self._branch("span", str(record.get("name", "")), record)
                )
        for record in records:
            if not _is_span(record):
                self._place(record)
        for branch in self._spans.values():
            parent = self._parent(branch)
            if parent is not None:
                parent.branches.append(branch)
            else:
                self._inside(branch, branch.record)
        for (kind, _), group in self._groups.items():
            self._group_inside(kind, group)
        _sort(self._roots)
        return self._roots

    def _parent(self, branch: Branch) -> Branch | None:
        """The span that ``branch`` is in; none where that leads round in a ring, or deeper than anybody looks."""
        parent = above = self._spans.get(str(branch.record.get("parent_id")))
        for _ in range(_DEEPEST):
            if above is None or above is branch:
                return parent if above is None else None
            above = self._spans.get(str(above.record.get("parent_id")))
        return None

    def _place(self, record: Record) -> None:
        """A line goes where it says: into its span, else its job, else its request."""
        line = self._branch("line", str(record.get("event", "")), record)
        if record.get("logger") == _REQUEST and isinstance(record.get("request_id"), str):
            group = self._group("request", str(record["request_id"]), record)
            # The access record tells of the whole request: it heads it.
            told = self._branch("request", _request(record), record)
            self._groups["request", str(record["request_id"])] = _headed(group, told)
            return
        span = self._spans.get(str(record.get("span_id")))
        if span is not None:
            span.branches.append(line)
        else:
            self._inside(line, record)

    def _inside(self, branch: Branch, record: Record) -> None:
        for kind, name in (("job", "job_id"), ("request", "request_id")):
            value = record.get(name)
            if isinstance(value, str) and value:
                self._group(kind, value, record).branches.append(branch)
                return
        self._roots.append(branch)

    def _group(self, kind: Any, id_text: str, record: Record) -> Branch:
        found = self._groups.get((kind, id_text))
        if found is None:
            name = str(record.get("task") or "") if kind == "job" else ""
            ids: Record = {key: record[key] for key in ("request_id", "task") if key in record}
            ids[f"{kind}_id"] = id_text
            found = Branch(kind, name, self._offset(record), None, "", ids)
            self._groups[kind, id_text] = found
        elif kind == "job" and not found.name and record.get("task"):
            found = _headed(found, Branch(kind, str(record["task"]), found.offset, None, "", found.record))
            self._groups[kind, id_text] = found
        return found

    def _group_inside(self, kind: str, group: Branch) -> None:
        """A job stands in the request that asked for it; a request, in the span that it is."""
        request = group.record.get("request_id")
        outer = self._groups.get(("request", str(request))) if kind == "job" else None
        if outer is not None:
            outer.branches.append(group)
        else:
            self._roots.append(group)

    def _branch(self, kind: Any, name: str, record: Record) -> Branch:
        return Branch(kind, name, self._offset(record), _seconds(record), str(record.get("level", "")), record)

    def _offset(self, record: Record) -> float:
        us = _began(record)
        return 0.0 if us is None else (us - self._began) / 1e6


def _headed(group: Branch, head: Branch) -> Branch:
    return Branch(
        head.kind, head.name, min(group.offset, head.offset), head.seconds, head.level, head.record, group.branches
    )


def _sort(branches: list[Branch]) -> None:
    branches.sort(key=lambda branch: branch.offset)
    for branch in branches:
        _sort(branch.branches)


def _is_span(record: Record) -> bool:
    return record.get("event") == "span" and record.get("logger") == _SPANS and isinstance(record.get("span_id"), str)


def _request(record: Record) -> str:
    return " ".join(str(record[name]) for name in ("method", "path", "status") if name in record)


def _seconds(record: Record) -> float | None:
    value = record.get("duration_ms")
    return (
        value / 1000 if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12 else None
    )


def _began(record: Record) -> int | None:
    """When it began (µs): a record that says how long something took is of its end."""
    us = us_of(record.get("ts"))
    return None if us is None else us - int((_seconds(record) or 0.0) * 1e6)


def _texts(records: Iterable[Record], name: str) -> list[str]:
    return [value for record in records if isinstance(value := record.get(name), str) and value]
