"""A sink by its URL: the built-in file, and what an installed package offers."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from postrmagic_core.errors import ConfigurationError, PluginRejected, UnknownScheme
from postrmagic_core.log import configure
from postrmagic_core.log.adapters import open_sink
from postrmagic_core.log.adapters.file import FileSink
from postrmagic_core.log.adapters.memory import MemorySink
from postrmagic_core.log.terms import configured
from postrmagic_core.registry import LOG_SINKS, Registry
from postrmagic_core.settings import Settings


class Kept(MemorySink):
    """What a package offers."""

    @classmethod
    def from_url(cls, url: str) -> Kept:
        """``kept:``, and how many."""
        return cls(int(url.partition("://")[2]))


def offering(target: str, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry that finds it."""
    monkeypatch.setitem(sys.modules, "sinks_under_test", sys.modules[__name__])
    entry = EntryPoint("kept", target, LOG_SINKS.group)
    return Registry(lambda group: [entry] if group == LOG_SINKS.group else [])


def test_the_log_goes_where_a_url_says(tmp_path: Path) -> None:
    """As to a file that was named."""
    with configure(sink=open_sink(f"file://{tmp_path}/a%20log/app.log")):
        logging.getLogger("test").warning("it is there")
    assert "it is there" in (tmp_path / "a log" / "app.log").read_text()


def test_a_package_s_sink_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its scheme; and it must be one."""
    sink = open_sink("kept://3", registry=offering("sinks_under_test:Kept", monkeypatch))
    assert isinstance(sink, Kept)
    with pytest.raises(PluginRejected, match="is no log sink adapter: it lacks close; lacks idle; lacks write"):
        open_sink("kept://3", registry=offering("sinks_under_test:Path", monkeypatch))


@pytest.mark.parametrize(
    "url", ["file:app.log", "file:///", "file://", "file://host/app.log", "file:///a?b", "file:///a#b"]
)
def test_a_url_that_names_no_file_is_refused(url: str) -> None:
    """With what is expected."""
    with pytest.raises(ConfigurationError, match=r"file:///var/log/app\.log"):
        FileSink.from_url(url)


def test_an_unknown_scheme_names_the_known_ones() -> None:
    """As everywhere."""
    with pytest.raises(UnknownScheme, match="no log sink adapter for the URL scheme 'fille'; known: file"):
        open_sink("fille:///var/log/app.log", registry=Registry(lambda _: []))


def test_settings_name_the_sink(tmp_path: Path) -> None:
    """In the place of the file."""
    settings = Settings(stack={"data_dir": tmp_path}, log={"sink": f"file://{tmp_path}/other.log"})
    with configured(settings):
        logging.getLogger("test").warning("it is there")
    assert "it is there" in (tmp_path / "other.log").read_text()
