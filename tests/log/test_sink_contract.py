"""The contract of log sinks, kept by those that are shipped; broken, by sinks made for it, on the right promise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from postrmagic_core.log.adapters.file import FileSink
from postrmagic_core.log.adapters.memory import MemorySink
from postrmagic_core.log.adapters.stream import StreamSink
from postrmagic_core.log.interface import Rotation
from postrmagic_core.testing.contracts import log_sink
from postrmagic_core.testing.contracts.log_sink import LogSinkContract
from postrmagic_core.testing.contracts.log_sink_rig import Outlet
from tests.log import bad_sinks
from tests.log.outlets import filled, lines_of
from tests.planted import ended


class TestFileSink(LogSinkContract):
    """One file."""

    @pytest.fixture
    def outlet(self, tmp_path: Path) -> Outlet:
        """A file that can be kept from growing."""
        path = tmp_path / "app.log"
        return Outlet(lambda: FileSink(path), lambda: lines_of(path), lambda: filled(path))


class TestRotatedFileSink(LogSinkContract):
    """A file that is put aside every 64 kilobytes and compressed meanwhile."""

    @pytest.fixture
    def outlet(self, tmp_path: Path) -> Outlet:
        """The file and those put aside."""
        path = tmp_path / "app.log"
        rotation = Rotation(max_bytes=65_536, every="never", keep_files=10_000)
        return Outlet(lambda: FileSink(path, rotation), lambda: lines_of(path), lambda: filled(path))


class TestStreamSink(LogSinkContract):
    """A text stream on a file."""

    @pytest.fixture
    def outlet(self, tmp_path: Path) -> Iterator[Outlet]:
        """Opened to append, as a shell's ``2>>`` does."""
        path = tmp_path / "out.log"
        with path.open("a", encoding="utf-8") as stream:
            yield Outlet(lambda: StreamSink(stream), lambda: lines_of(path), lambda: filled(path))


class TestMemorySink(LogSinkContract):
    """A list of this process."""

    not_applicable: ClassVar[Mapping[str, str]] = {
        "failure": "memory does not refuse",
        "processes": "each has its own",
    }

    @pytest.fixture
    def outlet(self) -> Outlet:
        """The one sink there is."""
        sink = MemorySink()
        return Outlet(lambda: sink, lambda: list(sink.lines))


class TestGood(LogSinkContract):
    """The smallest sink that keeps it."""

    not_applicable: ClassVar[Mapping[str, str]] = {"processes": "it lives in one process"}

    @pytest.fixture
    def outlet(self) -> Outlet:
        """A list of the class's."""
        return bad_sinks.outlet(bad_sinks.Good)


MODULE = """
import pytest
from postrmagic_core.testing.contracts.log_sink import LogSinkContract
from tests.log import bad_sinks

def planted(kind):
    class Planted(LogSinkContract):
        not_applicable = {"processes": "it lives in one process"}

        @pytest.fixture
        def outlet(self):
            return bad_sinks.outlet(kind)

    for test in dir(Planted):
        if test.startswith("test_") and test.removeprefix("test_") not in kind.broken:
            setattr(Planted, test, None)
    return Planted

for name, kind in bad_sinks.BAD.items():
    globals()["Test" + name] = planted(kind)
"""


def test_each_broken_promise_is_red(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the tests named for it; that they can be green is shown above."""
    monkeypatch.setattr(log_sink, "PROMPT", 0.5)
    seen = ended(pytester, monkeypatch, MODULE)
    assert seen["FAILED"] == {name: kind.broken for name, kind in bad_sinks.BAD.items()}
    assert not seen["PASSED"]
