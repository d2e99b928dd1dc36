"""The registry: registered, built in, entry point; or an error that says what is known and what to install."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import pytest

from postrmagic_core.errors import MissingExtra, PluginRejected, UnknownScheme
from postrmagic_core.registry import STORES, Kind, Registry, conformance, scheme_of
from postrmagic_core.stores.interface import Store

HERE = __name__


class GoodStore:
    blocking: ClassVar[bool] = True
    atomic: ClassVar[str] = "keys"
    clock: ClassVar[str] = "process"

    @classmethod
    def from_url(cls, url: str, **options: Any) -> GoodStore:
        return cls()

    def get(self, keys: Any) -> Any: ...
    def set(self, items: Any, ttl_ms: Any) -> None: ...
    def delete(self, keys: Any) -> Any: ...
    def touch(self, keys: Any, ttl_ms: Any) -> Any: ...
    def run(self, script: Any, keys: Any, args: Any, *, now_us: Any = None) -> Any: ...
    def close(self) -> None: ...


class BadStore:
    """Names a parameter wrongly and has no run()."""

    blocking = True
    atomic = "keys"
    clock = "process"
    from_url = GoodStore.from_url
    get = GoodStore.get
    delete = GoodStore.delete
    touch = GoodStore.touch
    close = GoodStore.close

    def set(self, items: Any, seconds: Any) -> None: ...


class OldStore(GoodStore):
    interface_version = 0


def registry(**names: str) -> Registry:
    """A registry that finds these entry points in the group of stores."""
    entries = [EntryPoint(name.rstrip("_"), target, STORES.group) for name, target in names.items()]
    return Registry(lambda group: entries if group == STORES.group else [])


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "adapters_under_test", sys.modules[HERE])


def test_an_entry_point_is_loaded_by_its_scheme() -> None:
    """A third party's store is used like a built-in one."""
    assert registry(etcd="adapters_under_test:GoodStore").load(STORES, "etcd://host") is GoodStore


def test_a_registered_adapter_comes_before_a_built_in_one() -> None:
    """An application may replace what is built in, for itself alone."""
    own = registry()
    own.register(STORES, "memory", GoodStore)
    assert own.load(STORES, "memory://") is GoodStore
    assert registry().load(STORES, "memory://") is not GoodStore


def test_an_unknown_scheme_names_the_known_ones() -> None:
    """The error is the list one would look up."""
    with pytest.raises(UnknownScheme, match=r"'etdc'.*etcd.*memory.*mysql.*redis.*sqlite"):
        registry(etcd="adapters_under_test:GoodStore").load(STORES, "etdc://host")


@pytest.mark.parametrize("url", ["redis://[::1/0", "", "app.db", "/var/app.db"])
def test_something_that_is_no_url_is_told_what_one_looks_like(url: str) -> None:
    """A path is the common mistake."""
    with pytest.raises(UnknownScheme, match="sqlite:///"):
        scheme_of(url)


def test_a_driver_suffix_does_not_change_the_scheme() -> None:
    """mysql+pymysql is mysql."""
    assert scheme_of("mysql+pymysql://h/d") == "mysql"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("adapters_under_test:BadStore", r"lacks run; set\(\) takes no ttl_ms"),
        ("adapters_under_test:OldStore", "interface version 0, this package has 1"),
        ("adapters_under_test:missing", "cannot be imported"),
        ("no_such_module:Thing", "cannot be imported"),
        ("adapters_under_test:HERE", "not a class"),
    ],
)
def test_an_adapter_that_does_not_fulfil_the_protocol_is_rejected_with_the_reason(target: str, reason: str) -> None:
    """What is wrong is found when the adapter is loaded, not at the first request."""
    with pytest.raises(PluginRejected, match=reason):
        registry(etcd=target).load(STORES, "etcd://host")


def test_two_packages_that_claim_one_scheme_are_both_refused() -> None:
    """Which one wins must not depend on the order of installation."""
    entries = [EntryPoint("etcd", f"adapters_under_test:{name}", STORES.group) for name in ("GoodStore", "OldStore")]
    with pytest.raises(PluginRejected, match="several installed packages"):
        Registry(lambda _group: entries).load(STORES, "etcd://host")


def test_a_missing_driver_names_the_extra() -> None:
    """The error is the command to run."""
    kind = Kind("store", "none", STORES.protocol, {"far": "json_that_is_not_there:X"}, {"far": "far"})
    with pytest.raises(MissingExtra, match=r"pip install 'postrmagic-core\[far\]'"):
        Registry(lambda _group: []).load(kind, "far://host")


def test_plugins_lists_usable_and_rejected_ones_with_reasons() -> None:
    """`postrmagic plugins` shows everything found, also what was refused, and why."""
    listed = registry(etcd="adapters_under_test:GoodStore", bad="adapters_under_test:BadStore", redis="x:Y").plugins()
    states = {
        plugin.scheme: plugin.state for plugin in listed if plugin.kind == "store" and plugin.origin == "entry point"
    }
    assert states == {"etcd": "usable", "bad": "rejected", "redis": "rejected"}
    assert all(plugin.reason for plugin in listed if plugin.state != "usable")


def test_conformance_accepts_what_fulfils_the_protocol() -> None:
    """The check finds nothing where there is nothing."""
    assert conformance(GoodStore, Store) == []
