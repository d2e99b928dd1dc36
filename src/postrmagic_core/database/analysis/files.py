"""The query log on disk: one file a process, replaced whole; read and added up by whoever analyses."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..._lifecycle import after_fork
from ..._metrics import LATENCY_BOUNDS
from .interface import Caller, QueryLogFile, QueryStats

logger = logging.getLogger("postrmagic_core.database")

VERSION = 1
# Seconds after which a file is removed: of processes long gone.
KEPT = 14 * 86_400
_PATTERN = "[0-9]*-*.json"


class Publisher:
    """Writes what ``changed()`` returns, if anything, every ``interval`` seconds, in a thread of its own."""

    _thread: threading.Thread | None
    _failed: bool

    def __init__(self, directory: Path, interval: float, changed: Callable[[], QueryLogFile | None]) -> None:
        self.directory = directory
        self._interval = interval
        self._changed = changed
        self._forget()
        after_fork(self._forget)

    @property
    def path(self) -> Path:
        """This process's file."""
        return self.directory / f"{os.getpid()}-{self._boot}.json"

    def start(self) -> None:
        """Start the thread, unless it runs."""
        with self._lock:
            if self._thread is None:
                self._stop.clear()
                self._thread = threading.Thread(target=self._run, name="postrmagic-query-log", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread; what changed since its last turn is written."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._stop.set()
            thread.join()
            self._turn()

    def write(self, file: QueryLogFile) -> None:
        """Replace the file, mode 0600; raises :class:`OSError`."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.path.with_suffix(f".{secrets.token_hex(4)}.tmp")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
                json.dump({"version": VERSION, **asdict(file)}, out)
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)

    def _run(self) -> None:
        stop = self._stop
        remove_old(self.directory)
        while not stop.wait(self._interval):
            self._turn()

    def _turn(self) -> None:
        try:
            file = self._changed()
            if file is not None:
                self.write(file)
        except OSError as error:
            if not self._failed:
                logger.warning("the query log cannot be written to %s: %s", self.directory, error.strerror)
            self._failed = True
        else:
            self._failed = False

    def _forget(self) -> None:
        """In a forked child: another process, another file."""
        self._boot = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = None
        self._failed = False


def read_logs(directory: Path) -> list[QueryLogFile]:
    """Every process's file in ``directory``; one that cannot be read is skipped and told."""
    found = []
    for path in sorted(directory.glob(_PATTERN)):
        try:
            found.append(_parsed(json.loads(path.read_text(encoding="utf-8"))))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            logger.warning("the query log %s cannot be read and is passed over (%s)", path.name, type(error).__name__)
    return found


def merged(files: Iterable[QueryLogFile]) -> tuple[QueryStats, ...]:
    """Their statements added up by fingerprint, the costliest first; the plan is the newest. Mix no two databases."""
    total: dict[str, QueryStats] = {}
    for file in sorted(files, key=lambda each: each.until_us):
        for query in file.queries:
            before = total.get(query.fingerprint)
            total[query.fingerprint] = query if before is None else _added(before, query)
    return tuple(sorted(total.values(), key=lambda each: -each.seconds))


def remove_old(directory: Path) -> None:
    """Remove what no process has written to for 14 days."""
    before = time.time() - KEPT
    for pattern in (_PATTERN, "[0-9]*-*.tmp"):
        for path in directory.glob(pattern):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < before:
                    path.unlink()


def _added(one: QueryStats, other: QueryStats) -> QueryStats:
    callers: dict[str, int] = {}
    for caller in (*one.callers, *other.callers):
        callers[caller.line] = callers.get(caller.line, 0) + caller.count
    return replace(
        one,
        count=one.count + other.count,
        errors=one.errors + other.errors,
        seconds=one.seconds + other.seconds,
        slowest=max(one.slowest, other.slowest),
        buckets=tuple(map(sum, zip(one.buckets, other.buckets, strict=True))),
        rows=one.rows + other.rows,
        callers=tuple(Caller(*item) for item in sorted(callers.items(), key=lambda item: -item[1])),
        plan=other.plan or one.plan,
    )


def _parsed(content: Any) -> QueryLogFile:
    if content.pop("version") != VERSION:
        raise ValueError("another version's file")
    queries = tuple(_query(each) for each in content.pop("queries"))
    return QueryLogFile(
        dialect=str(content["dialect"]),
        database_id=str(content["database_id"]),
        pid=int(content["pid"]),
        since_us=int(content["since_us"]),
        until_us=int(content["until_us"]),
        queries=queries,
    )


def _query(content: dict[str, Any]) -> QueryStats:
    buckets = tuple(int(each) for each in content["buckets"])
    if len(buckets) != len(LATENCY_BOUNDS) + 1:
        raise ValueError("other bounds")
    return QueryStats(
        fingerprint=str(content["fingerprint"]),
        sql=str(content["sql"]),
        count=int(content["count"]),
        errors=int(content["errors"]),
        seconds=float(content["seconds"]),
        slowest=float(content["slowest"]),
        buckets=buckets,
        rows=int(content["rows"]),
        callers=tuple(Caller(str(each["line"]), int(each["count"])) for each in content["callers"]),
        plan=tuple(str(each) for each in content["plan"]),
    )
