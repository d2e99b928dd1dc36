"""What the shop promises."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from . import create_app


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(f"sqlite:///{tmp_path}/shop.db")) as client:
        yield client


def test_an_order_is_kept(client: TestClient) -> None:
    answer = client.post("/orders", json={"poster": "Gala"})
    assert (answer.status_code, answer.json()) == (201, {"id": 1})


def test_the_best_are_old_news_for_a_minute(client: TestClient) -> None:
    client.post("/orders", json={"poster": "Fair"})
    assert client.get("/best").json() == ["Fair"]
    for _ in range(2):
        client.post("/orders", json={"poster": "Gala"})
    assert client.get("/best").json() == ["Fair"]
