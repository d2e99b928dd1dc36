"""Channels of alerts that installed packages offer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint

import pytest

from postrmagic_core.errors import ConfigurationError, PluginRejected
from postrmagic_core.observability.alerts import Notification, channel_for
from postrmagic_core.registry import ALERT_CHANNELS, Registry

CANARY = "CANARY7f3a9c"


class Pager:
    """What a package offers."""

    def __init__(self, url: str, what: str, secrets: Sequence[str]) -> None:
        self.told = (url, what, secrets)

    @classmethod
    def from_url(cls, url: str, *, what: str, secrets: Sequence[str]) -> Pager:
        """As it is asked for."""
        if "wrong" in url:
            raise ConfigurationError(f"{what}: expected pager://number")
        return cls(url, what, secrets)

    def send(self, notification: Notification) -> None:
        """To nobody."""

    def close(self) -> None:
        """Nothing."""


class Mute:
    """Tells nothing."""

    from_url = Pager.from_url
    close = Pager.close


def offering(name: str, target: str, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry that finds it."""
    monkeypatch.setitem(sys.modules, "channels_under_test", sys.modules[__name__])
    entry = EntryPoint(name, f"channels_under_test:{target}", ALERT_CHANNELS.group)
    return Registry(lambda group: [entry] if group == ALERT_CHANNELS.group else [])


def test_a_scheme_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told its URL, what it is called, and the secrets one by one."""
    pager = channel_for("ops", "pager+x://1", ["a b", "c"], registry=offering("pager", "Pager", monkeypatch))
    assert isinstance(pager, Pager)
    assert pager.told == ("pager+x://1", "alert channel ops", ("a", "b", "c"))


def test_what_is_wrong_is_told_without_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown scheme, one that is wrong for its channel, and a class that is none."""
    known = offering("pager", "Pager", monkeypatch)
    for url in (f"pigeon://{CANARY}", f"pager://wrong{CANARY}", f"webhook://{CANARY}", f"slack://x/{CANARY}+https://y"):
        with pytest.raises(ConfigurationError, match="alert channel ops") as caught:
            channel_for("ops", url, registry=known)
        assert CANARY not in f"{caught.value!r}{caught.value.__cause__!r}"
    with pytest.raises(PluginRejected, match="no alert channel adapter: it lacks send") as rejected:
        channel_for("ops", f"pager://{CANARY}", registry=offering("pager", "Mute", monkeypatch))
    assert CANARY not in str(rejected.value)


def test_what_is_built_in_is_nobody_else_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that claims mail gets none of it."""
    url = "smtp://localhost?from=a@b.c&to=d@e.f&plain=1"
    known = offering("smtp", "Pager", monkeypatch)
    assert not isinstance(channel_for("ops", url, registry=known), Pager)
    [listed] = [plugin for plugin in known.plugins() if plugin.origin == "entry point"]
    assert listed.reason == "the scheme is built in; choose another name"
