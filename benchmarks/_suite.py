"""Every benchmark once, each in a process of its own, and what came of all of them as one document.

A part that was measured is kept in a folder until all are: after an interruption it is not measured again, unless the
package, the benchmarks, the examples or the machine are others. A part that fails is named, and the rest goes on.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from . import _machine, _versions

ROOT: Final = _versions.ROOT
REPORTS: Final = ROOT / "docs" / "reports"
TAKEN_OVER: Final = ("containers", "deployment")
"""Reports of container runs, whose figures are shown as they are."""

CONTAINERS: Final = "deploy"
"""The benchmark that makes them."""

# The order in which they are run; the promises first, and last what takes longest.
_FIRST, _LAST = ("counters",), ("search", "transfer", "proofs")
# Minutes of a full run on two cores, before anybody has measured them there.
_MINUTES: Final = {
    "api": 6, "backups": 3, "cache": 3, "counters": 5, "database": 5, "deploy": 45, "events": 3, "jobs": 8, "log": 2,
    "middleware": 6, "observability": 8, "proofs": 60, "search": 10, "sessions": 8, "stack": 2, "tokens": 2,
    "transfer": 25, "validation": 5,
}  # fmt: skip
_QUICK_MINUTES: Final = 1.0
TIMEOUT, QUICK_TIMEOUT = 4 * 3600.0, 1800.0


@dataclass(frozen=True)
class Plan:
    """Which parts, how, and where they are kept. ``fresh``: also those that were measured already."""

    names: Sequence[str]
    folder: Path
    quick: bool = False
    fresh: bool = False
    say: Callable[[str], object] = print


@dataclass
class Found:
    """The parts that were measured, those that failed with the reason, and those that were not asked for."""

    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def command(name: str, result: Path, quick: bool) -> list[str]:
    """What measures one of them in a process of its own and writes ``result``."""
    return [sys.executable, "-m", "benchmarks", "run", name, "--json", str(result), *(["--quick"] if quick else [])]


def ordered(names: Sequence[str]) -> list[str]:
    """In which order they are run."""
    middle = sorted(set(names) - set(_FIRST) - set(_LAST))
    return [name for name in (*_FIRST, *middle, *_LAST) if name in names]


def minutes(name: str, quick: bool, before: Mapping[str, Any]) -> float:
    """How long it will take: as long as it took ``before``, by the last document, or on another machine."""
    if quick:
        return _QUICK_MINUTES
    part = before.get("parts", {}).get(name)
    return part["seconds"] / 60 if part else float(_MINUTES.get(name, 5))


def measured(plan: Plan, before: Mapping[str, Any]) -> Found:
    """Run the parts that are not there yet; :class:`ValueError` where another run has the folder."""
    found = Found()
    with _alone(plan.folder) as lock:
        source, machine = _versions.source(), _lasting(_machine.describe())
        names = ordered(plan.names)
        expected = sum(minutes(name, plan.quick, before) for name in names)
        plan.say(f"{len(names)} benchmarks, about {expected:.0f} minutes; kept in {plan.folder}")
        for number, name in enumerate(names, 1):
            head = f"[{number}/{len(names)}] {name}"
            kept = None if plan.fresh else _kept(plan, name, source, machine)
            if kept is not None:
                plan.say(f"{head}: measured before, {len(kept['figures'])} figures")
                found.parts[name] = kept
                continue
            plan.say(f"{head}: about {minutes(name, plan.quick, before):.0f} minutes …")
            _measure(plan, name, found, {"source": source, "machine": machine, "quick": plan.quick}, lock)
            plan.say(f"{head}: {_ended(name, found)}")
    return found


def _ended(name: str, found: Found) -> str:
    if name in found.failed:
        return f"failed: {found.failed[name]}"
    part = found.parts[name]
    return f"{part['seconds'] / 60:.1f} minutes, {len(part['figures'])} figures"


def kept_parts(plan: Plan, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Those of ``names`` that the folder has and that are still true."""
    source, machine = _versions.source(), _lasting(_machine.describe())
    kept = {name: _kept(plan, name, source, machine) for name in names}
    return {name: part for name, part in kept.items() if part is not None}


def forget(plan: Plan) -> None:
    """Remove the kept parts: the next run is a new one."""
    for path in plan.folder.glob("*.json"):
        path.unlink()


def document(found: Found, quick: bool) -> dict[str, Any]:
    """All that is known of the run."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "quick": quick,
        "machine": _lasting(_machine.describe()),
        "servers": _versions.servers(),
        "packages": _versions.packages(),
        "parts": {name: found.parts[name] for name in ordered(list(found.parts))},
        "failed": found.failed,
        "taken_over": taken_over(),
    }


def taken_over() -> dict[str, dict[str, Any]]:
    """The figures of the container reports, each with the date of its file's last commit, if that is known."""
    found = {}
    for name in TAKEN_OVER:
        path = REPORTS / f"{name}.json"
        if path.exists():
            figures = json.loads(path.read_text(encoding="utf-8"))
            found[name] = {"date": _dated(path), "figures": figures}
    return found


def _dated(path: Path) -> str:
    asked = ["git", "log", "-1", "--format=%cs", "--", str(path)]
    with suppress(OSError):
        done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip()
    return "unknown"


def _lasting(machine: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in machine.items() if key != "load"}


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """The descriptor of the lock: who inherits it holds it, so that no run begins beside the rest of a killed one."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another run has {folder}: wait for it, or name another folder with --folder") from None
        yield file.fileno()


def _kept(plan: Plan, name: str, source: str, machine: Mapping[str, str]) -> dict[str, Any] | None:
    """A part that was measured of this source, on this machine, as thoroughly."""
    try:
        kept = json.loads((plan.folder / f"{name}.json").read_text(encoding="utf-8"))
        same = kept["source"] == source and kept["machine"] == machine and kept["quick"] == plan.quick
        return dict(kept["part"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _measure(plan: Plan, name: str, found: Found, of: Mapping[str, Any], lock: int) -> None:
    result, log = plan.folder / f"{name}.result", plan.folder / f"{name}.log"
    result.unlink(missing_ok=True)
    began = time.monotonic()
    status = _run(command(name, result, plan.quick), log, QUICK_TIMEOUT if plan.quick else TIMEOUT, lock)
    try:
        told = json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        told = None
    if status or told is None:
        found.failed[name] = f"{_reason(status, log)} ({log})"
        return
    found.parts[name] = part = {
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(time.monotonic() - began, 1),
        "load": told["machine"].get("load", ""),
        "figures": told["figures"],
        "missing": told["missing"],
    }
    result.write_text(json.dumps({**of, "part": part}, indent=1) + "\n", encoding="utf-8")
    result.replace(plan.folder / f"{name}.json")


def _run(arguments: Sequence[str], log: Path, timeout: float, lock: int) -> int | None:
    """The exit status; ``None`` when it had to be ended. All that it started ends with it, also when we are stopped."""
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            arguments,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
            pass_fds=[lock],
        )
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _reason(status: int | None, log: Path) -> str:
    if status is None:
        return "it did not end"
    said = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return f"exit status {status}: {said[-1][:200]}" if said else f"exit status {status}"
