"""``postrmagic contract URL``: does an installed adapter keep what a store promises? A row for each promise."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from ..errors import ConfigurationError, MissingExtra
from ..stores import open_store
from .words import print_json

if TYPE_CHECKING:
    import pytest

State: TypeAlias = Literal["held", "broken", "not applicable"]

_SUITES = "postrmagic_core.testing.contracts.installed"
_PLUGIN = "postrmagic_core.testing.pytest_plugin"
_COLOURS: dict[State, str] = {"held": "green", "broken": "red", "not applicable": "dim"}


class Face(StrEnum):
    """Which of a component's faces."""

    SYNC = "sync"
    ASYNC = "async"


@dataclass
class Promise:
    """One promise: how many cases of it were tried, and, unless it was held, why not in one line."""

    suite: str
    promise: str
    state: State = "held"
    cases: int = 0
    why: str = ""

    def add(self, state: State, why: str) -> None:
        """Count a case: one that is broken breaks the promise, one that was tried makes it apply."""
        self.cases += 1
        worse: Sequence[State] = ("not applicable", "held", "broken")
        if self.cases == 1 or worse.index(state) > worse.index(self.state):
            self.state, self.why = state, why


@dataclass
class Trial:
    """The pytest plugin that says which store is meant, picks the tests, and keeps the score."""

    url: str
    prefix: bytes
    timeout: float
    suites: frozenset[str]
    face: Face | None
    progress: Progress
    promises: dict[str, Promise] = field(default_factory=dict)
    failed_to_collect: str = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out the suites and the face not asked for."""
        items[:] = [item for item in items if _suite(item.nodeid) in self.suites and self.face in (None, _face(item))]
        self.task = self.progress.add_task("promises", total=len(items))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """The suites themselves cannot be loaded."""
        if report.failed:
            self.failed_to_collect = _last_line(report.longreprtext)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the score of one case: what failed in any phase is broken."""
        if report.when == "teardown":
            self.progress.advance(self.task)
        if report.passed and report.when != "call":
            return
        test = report.nodeid.rpartition("::")[2].partition("[")[0]
        promise = self.promises.setdefault(
            f"{_suite(report.nodeid)} {test}",
            Promise(_suite(report.nodeid), test.removeprefix("test_").replace("_", " ")),
        )
        if report.passed:
            promise.add("held", "")
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
            promise.add("not applicable", reason.removeprefix("Skipped: "))
        else:
            promise.add("broken", _last_line(report.longreprtext))


def contract(
    url: Annotated[str, typer.Argument(help="The store, for example files:///tmp/kv; its adapter must be installed.")],
    cache: Annotated[bool, typer.Option("--cache", help="Also what a cache promises on it.")] = False,
    sessions: Annotated[bool, typer.Option("--sessions", help="Also what sessions promise on it.")] = False,
    face: Annotated[Face | None, typer.Option(help="Only the promises on this face.")] = None,
    keyword: Annotated[str, typer.Option("-k", help="Only promises that match, as pytest's -k does.")] = "",
    timeout: Annotated[float, typer.Option(min=0.01, help="Seconds the store may take for an operation.")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Show whether a store keeps its contract: exit status 0 if every promise that applies is held, else 1.

    The store may be in use: every key is written under a random prefix, and deleted afterwards; what cannot be tried
    that way is shown as not applicable.
    """
    try:
        import pytest
    except ModuleNotFoundError as error:
        raise MissingExtra("the contracts are run by pytest: pip install 'postrmagic-core[testing]'") from error
    prefix = b"pmc-%s-" % secrets.token_hex(4).encode()
    adapter = _checked(url, prefix, timeout)
    wanted = {"store": True, "cache": cache, "sessions": sessions}
    suites = frozenset(suite for suite, is_wanted in wanted.items() if is_wanted)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=as_json or not Console(stderr=True).is_terminal,
    ) as progress:
        trial = Trial(url, prefix, timeout, suites, face, progress)
        status = _run(pytest, trial, keyword)
    if not trial.promises:
        found = trial.failed_to_collect or f"no promise matches (pytest ended with status {int(status)})"
        raise ConfigurationError(f"nothing was tried: {found}")
    _show(adapter, list(trial.promises.values()), as_json)
    if any(promise.state == "broken" for promise in trial.promises.values()):
        raise typer.Exit(1)


def _checked(url: str, prefix: bytes, timeout: float) -> str:
    """The adapter's name, once its store has answered, and that it has nothing where nobody wrote anything."""
    with closing(open_store(url, timeout=timeout)) as store:
        found = store.get([prefix + name for name in (b"0:a", b"0:k", b"1:a", b"1:k")])
        if any(value is not None for value in found):
            raise ConfigurationError(f"the store is not empty under the prefix {prefix.decode()}, which is a new one")
        return f"{type(store).__module__}.{type(store).__qualname__}"


def _run(pytest: Any, trial: Trial, keyword: str) -> int:
    """Run the suites in this process, whatever configuration, conftest or plugins there are around it."""
    with TemporaryDirectory(prefix="postrmagic-contract-") as directory:
        configuration = Path(directory, "pytest.ini")
        configuration.write_text("[pytest]\n")
        options = ["--disable-plugin-autoload", "-p", _PLUGIN, "-p", "no:terminal", "-p", "no:cacheprovider"]
        options += ["-c", str(configuration), "--rootdir", directory, "--basetemp", str(Path(directory, "tmp"))]
        options += ["--noconftest", "--import-mode=importlib", "--pyargs", _SUITES]
        options += ["-k", keyword] if keyword else []
        status: int = pytest.main(options, plugins=[_named(trial)])
        return status


def _named(trial: Trial) -> object:
    """A plugin that registers ``trial`` under the name by which the suites ask for it."""

    class Registers:
        def pytest_configure(self, config: pytest.Config) -> None:
            config.pluginmanager.register(trial, "postrmagic-contract")

    return Registers()


def _suite(node: str) -> str:
    return node.split("::Test")[1].partition("::")[0].lower()


def _face(item: pytest.Item) -> Face:
    """The face a test is on: its parameter, or what its name says."""
    parameters = getattr(item, "callspec", None)
    if parameters is not None and "face" in parameters.params:
        return Face(parameters.params["face"])
    return Face.ASYNC if re.search("async|cancel", item.name.partition("[")[0]) else Face.SYNC


def _last_line(text: str) -> str:
    """What a failure says in one line: pytest's lines of the error begin with E."""
    errors = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    return (errors or text.strip().splitlines() or ["no reason was given"])[0]


def _show(adapter: str, promises: Sequence[Promise], as_json: bool) -> None:
    counts: dict[str, int] = {state: sum(promise.state == state for promise in promises) for state in _COLOURS}
    if as_json:
        result = {"adapter": adapter, **counts, "promises": list(promises)}
        print_json(result)
        return
    table = Table("contract", "promise", "cases", "state", "why")
    for promise in promises:
        state = Text(promise.state, style=_COLOURS[promise.state])
        table.add_row(promise.suite, promise.promise, str(promise.cases), state, Text(promise.why))
    console = Console()
    console.print(table)
    console.print(Text(f"{adapter}: " + ", ".join(f"{count} {state}" for state, count in counts.items())))
