"""A Stack, and carts."""

from __future__ import annotations

from tests.docs.given import opened
from tests.docs.playing import Page


def play(page: Page) -> None:
    """All three are told."""
    with opened() as stack:
        page.names.update(stack=stack, carts=[1, 2])
        page.run()
        assert ("shop_carts", (), 2) in list(stack.metrics.gauges())
        assert ("shop_orders_total", (("channel", "web"),), 1) in list(stack.metrics.counters())
        assert "shop_checkout_seconds" in [name for name, *_ in stack.metrics.histograms()]
