"""The rules of routes that a specification makes: whatever method a path does not have is answered by the router."""

from __future__ import annotations

from postrmagic_core.api import Problems, Specification, delete


class Things:
    """Things."""

    @delete("/things/{id}", access="thing:delete")
    def delete_thing(self, id: int) -> None:
        """Delete one."""

    @delete("/things", access="signed-in")
    def delete_things(self) -> None:
        """Delete all."""


def test_every_route_is_named_by_its_path_for_any_other_method() -> None:
    """Also for methods that nobody has heard of."""
    rules = Specification([Things], title="Things", version="1.0.0", problems=Problems([])).rules()
    assert rules["rules"] == {"DELETE /api/v1/things/{id}": "thing:delete"}
    assert rules["signed_in"] == ["DELETE /api/v1/things"]
    assert {"/api/v1/things", "/api/v1/things/{id}"} <= set(rules["public"])
