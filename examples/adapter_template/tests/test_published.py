"""Each is found by its entry point, once the package is installed."""

from __future__ import annotations

from pathlib import Path

from postrmagic_core.cache import CacheManager
from postrmagic_core.log.adapters import open_sink
from postrmagic_core.middleware.named import made
from postrmagic_core.observability.alerts import channel_for
from postrmagic_core.registry import Registry
from postrmagic_core.stores import open_store
from postrmagic_core.validation.rules.named import offered

OFFERED = {
    ("store", "onefile"),
    ("database", "durable"),
    ("broker", "packed"),
    ("channel", "bulletin"),
    ("middleware", "timing"),
    ("rule", "plate"),
    ("log sink", "table"),
    ("alert channel", "tickets"),
    ("vault", "mirror"),
}


def test_all_of_them_can_be_used() -> None:
    """As ``postrmagic plugins`` shows them."""
    found = [plugin for plugin in Registry().plugins() if plugin.origin == "postrmagic-template"]
    assert [plugin for plugin in found if plugin.state != "usable"] == []
    assert {(plugin.kind, plugin.scheme) for plugin in found} == OFFERED


def test_a_name_or_a_url_is_enough(tmp_path: Path) -> None:
    """No code names the module."""
    with CacheManager(open_store(f"onefile://{tmp_path}/values")) as cache:
        assert cache.get_or_set("k", lambda: 1, fresh=60) == 1
    sink = open_sink(f"table://{tmp_path}/log.db")
    assert sink.write([b"a line"]) == 1
    sink.close()
    assert repr(made("timing", {"name": "shop"}, None))
    assert list(offered("plate")) == ["plate"]
    channel_for("office", f"tickets://{tmp_path}").close()
