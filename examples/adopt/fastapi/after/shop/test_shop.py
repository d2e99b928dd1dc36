"""What the shop promises."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from . import create_app, models


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


def test_they_are_computed_once_however_many_ask(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    computed = threading.Event()
    calls: list[str] = []

    def slowly(engine: Any) -> list[str]:
        calls.append("best")
        computed.wait(0.2)
        return models.best(engine)

    monkeypatch.setattr("shop.best", slowly)
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: client.get("/best").json(), range(8)))
    assert (answers, calls) == ([[]] * 8, ["best"])


def test_what_was_read_before_an_order_is_not_served_after_it(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, ordered = threading.Event(), threading.Event()

    def overtaken(engine: Any) -> list[str]:
        found = models.best(engine)
        read.set()
        ordered.wait(20)
        return found

    monkeypatch.setattr("shop.best", overtaken)
    with ThreadPoolExecutor(1) as other:
        before = other.submit(lambda: client.get("/best").json())
        read.wait(20)
        client.post("/orders", json={"poster": "Gala"})
        ordered.set()
        assert before.result() == []
    assert client.get("/best").json() == ["Gala"]
