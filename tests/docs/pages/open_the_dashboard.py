"""Who asks, as `authentication` tells a request."""

from __future__ import annotations

from types import SimpleNamespace

from tests.docs.playing import Page


def play(page: Page) -> None:
    """The page's function lets operators in, by their name, and nobody else."""
    operators = page.run()["operators"]
    for roles, name in ((["operator"], "ann"), (["developer"], None)):
        assert operators(SimpleNamespace(state={"identity": SimpleNamespace(id="ann", roles=roles)})) == name
    assert operators(SimpleNamespace(state={})) is None
