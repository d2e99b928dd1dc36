"""What every room's tests share."""

from __future__ import annotations

import gc
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, settings

from postrmagic_core.stores import Store, open_store
from postrmagic_core.testing.faults import VARIABLE
from tests.backends import KINDS, TIMEOUT

pytest_plugins = ["pytester", "tests.soaked"]

# A busy machine is no failure: tests that are about time measure it themselves. Where a guard is taken away, failing is
# what is wanted: nobody reads the least example of it.
TRIAL = (Phase.explicit, Phase.reuse, Phase.generate)
settings.register_profile("suite", settings.default, deadline=None)
settings.register_profile("trial", settings.get_profile("suite"), phases=TRIAL)
settings.load_profile("trial" if VARIABLE in os.environ else "suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--cases``: every test, but not every case of it, as on a further version of Python."""
    parser.addoption("--cases", type=int, metavar="N", help="run at most the first N cases of each parametrized test")


@pytest.hookimpl(trylast=True)  # after -m and -k have chosen
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the long ones, and leave out what ``--cases`` leaves out."""
    items.sort(key=lambda item: "long" not in item.keywords)
    most, seen = config.getoption("--cases"), Counter[str]()
    if most is None:
        return
    left_out = []
    for item in list(items):
        test = item.nodeid.partition("[")[0]
        seen[test] += 1
        if seen[test] > most:
            left_out.append(item)
    config.hook.pytest_deselected(items=left_out)
    dropped = set(left_out)
    items[:] = [item for item in items if item not in dropped]


def pytest_sessionstart() -> None:
    """Have no collection of garbage look through the tests while they are found: a fifth of that time."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Nor look through them again: they are a million objects, and stay."""
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make what was captured fit to be sent from a worker process: hostile text may hold lone surrogates."""
    report = yield
    report.sections = [(name, text.encode(errors="replace").decode()) for name, text in report.sections]
    return report


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory; only who may mount one has it, which in CI's containers nobody may."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256m,mode=0700", "none", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        # Lazily: gone from here at once, also while somebody still has a file open.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A directory whose path is short enough for a socket's name, wherever the tests' own directories are."""
    with TemporaryDirectory(prefix="w", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def url_of(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """The URL of an empty backend, by kind."""

    def url(kind: str) -> str:
        match kind:
            case "memory":
                return "memory://"
            case "sqlite":
                return f"sqlite:///{tmp_path}/kv.db"
            case "tiered":
                return f"tiered+{url('redis')}"
        return str(request.getfixturevalue(f"{kind}_url"))

    return url


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> Iterator[Store]:
    """An empty store of each kind."""
    store = open_store(url_of(request.param), timeout=TIMEOUT)
    yield store
    store.close()
