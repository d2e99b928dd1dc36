"""What the shop promises."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from postrmagic_core.cache import CacheManager
from postrmagic_core.testing import until

from . import create_app


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(f"sqlite:///{tmp_path}/shop.db", "memory://")) as client:
        yield client


def test_an_order_is_kept(client: TestClient) -> None:
    answer = client.post("/orders", json={"poster": "Gala"})
    assert (answer.status_code, answer.json()) == (201, {"id": 1})


def test_the_best_are_those_of_the_last_order(client: TestClient) -> None:
    client.post("/orders", json={"poster": "Fair"})
    assert client.get("/best").json() == ["Fair"]
    for _ in range(2):
        client.post("/orders", json={"poster": "Gala"})
    assert client.get("/best").json() == ["Gala", "Fair"]


def test_an_invalidation_that_the_process_did_not_live_to_make_is_made(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get("/best")
    with monkeypatch.context() as dead:
        dead.setattr(CacheManager, "_invalidate", lambda *_: None)  # as if killed just after the commit
        client.post("/orders", json={"poster": "Gala"})
    until(lambda: client.get("/best").json() == ["Gala"], "the relay did not deliver the invalidation")
