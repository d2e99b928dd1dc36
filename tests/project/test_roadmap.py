"""The roadmap names every task of the plan, and what it calls done can be opened."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = "docs/reference/roadmap.md"

# Task -> its heading and its deliverable, as the plan has them. Each task has four steps.
PLAN = {
    "1.1": ("MySQL Schema Design", "MySQL schema documentation"),
    "1.2": ("Database Abstraction Layer", "Database abstraction layer implementation"),
    "1.3": ("Migration Script Development", "Database migration script"),
    "1.4": ("Testing and Validation", "Test results and validation report"),
    "1.5": ("Connection Pooling Implementation", "Connection pooling implementation"),
    "1.6": ("Enhanced Session Management", "Enhanced session management system"),
    "2.1": ("Redis Caching Setup", "Redis caching implementation"),
    "2.2": ("Cache Integration", "Caching integration in application"),
    "2.3": ("Query Analysis", "Query analysis report"),
    "2.4": ("Query Optimization Implementation", "Optimized database queries"),
    "3.1": ("API Specification", "API specification document"),
    "3.2": ("API Implementation", "RESTful API implementation"),
    "3.3": ("Middleware Framework", "Middleware framework"),
    "3.4": ("Core Middleware Implementation", "Core middleware components"),
    "4.1": ("Job Queue System", "Job queue system"),
    "4.2": ("Worker Implementation", "Background job workers"),
    "4.3": ("Event System", "Event system implementation"),
    "4.4": ("Event Integration", "Event integration"),
    "4.5": ("Async Processing Testing", "Async processing test report"),
    "5.1": ("Input Validation Framework", "Input validation framework"),
    "5.2": ("Output Sanitization", "Output sanitization implementation"),
    "5.3": ("Enhanced Authentication", "Enhanced authentication system"),
    "5.4": ("Security Testing", "Security test report"),
    "6.1": ("Structured Logging", "Logging infrastructure"),
    "6.2": ("Log Aggregation", "Log aggregation system"),
    "6.3": ("Application Performance Monitoring", "Performance monitoring system"),
    "6.4": ("Monitoring Dashboard", "Monitoring dashboard"),
    "7.1": ("Docker Configuration", "Docker configuration"),
    "7.2": ("Container Testing", "Container testing report"),
    "7.3": ("CI/CD Setup", "CI/CD pipeline"),
    "7.4": ("Deployment Testing", "Deployment testing report"),
}
STEPS = 4


@dataclass(frozen=True)
class Row:
    """One line of a table: which step, what it asks, where it lives, how it stands, what proves it."""

    key: str
    step: str
    status: str
    proof: str


def rows(text: str) -> list[Row]:
    """Every table line that belongs to a task: the first cell is the task's or step's number."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [Row(line[0], line[1], line[3], line[4]) for line in cells if re.fullmatch(r"\d\.\d(\.\d)?", line[0])]


def statuses(text: str) -> list[tuple[str, str]]:
    """(status, proof) of every line of every table, the metrics and risks too: always the last two cells."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [(line[-2], line[-1]) for line in cells if line[-1] not in {"proof", "---"}]


def unproved(text: str, root: Path) -> list[str]:
    """Complaints: a status that is neither of the two words, or a `done` whose proof names no file that exists."""
    complaints = []
    for status, proof in statuses(text):
        files = re.findall(r"`([^`]+)`", proof) + re.findall(r"\]\(([^)#]+)", proof)
        missing = [
            name for name in files if not (root / name).exists() and not (root / PAGE).parent.joinpath(name).exists()
        ]
        if status not in {"done", "not yet"}:
            complaints.append(f"unknown status: {status}")
        elif status == "done" and not files:
            complaints.append("done without a proof")
        complaints += [f"no such file: {name}" for name in missing]
    return complaints


@pytest.fixture(scope="module")
def roadmap() -> str:
    """The roadmap's text."""
    return (ROOT / PAGE).read_text(encoding="utf-8")


@pytest.mark.parametrize("task", PLAN)
def test_each_task_stands_with_its_steps_and_deliverable(task: str, roadmap: str) -> None:
    """The task's heading, its four steps in order and its deliverable are there, each once."""
    heading, deliverable = PLAN[task]
    assert f"### Task {task}: {heading}\n" in roadmap
    mine = [row for row in rows(roadmap) if row.key == task or row.key.startswith(f"{task}.")]
    assert [row.key for row in mine] == [*(f"{task}.{step}" for step in range(1, STEPS + 1)), task]
    assert mine[-1].step == f"**Deliverable**: {deliverable}"


def test_no_task_is_invented(roadmap: str) -> None:
    """The page has no task beside those of the plan."""
    assert set(re.findall(r"^### Task (\d\.\d):", roadmap, re.MULTILINE)) == set(PLAN)


def test_what_is_done_is_proved(roadmap: str) -> None:
    """Each line says `done` or `not yet`; each `done` names files, and they exist."""
    assert statuses(roadmap) != []
    assert unproved(roadmap, ROOT) == []


def test_a_deliverable_is_done_after_its_steps(roadmap: str) -> None:
    """No deliverable is called done while a step of its task is open."""
    status = {row.key: row.status for row in rows(roadmap)}
    early = [
        task
        for task in PLAN
        if status[task] == "done" and any(status[f"{task}.{step}"] != "done" for step in range(1, STEPS + 1))
    ]
    assert early == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("| 1.1.1 | Step | here | done | |", "done without a proof"),
        ("| 1.1.1 | Step | here | done | `tests/absent.py` |", "no such file: tests/absent.py"),
        ("| 1.1.1 | Step | here | done | [page](absent.md) |", "no such file: absent.md"),
        ("| 1.1.1 | Step | here | mostly | |", "unknown status: mostly"),
    ],
)
def test_an_unproved_line_is_found(line: str, complaint: str, tmp_path: Path) -> None:
    """A planted claim without its proof is named."""
    assert unproved(f"| | step | here | status | proof |\n|---|---|---|---|---|\n{line}\n", tmp_path) == [complaint]
