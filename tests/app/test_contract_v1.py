"""A client of version 1, recorded today, still passes against a version 2 with additive changes.

What it sent and was answered is in ``v1_exchanges.json``. It was recorded, once, by

    PYTHONPATH=.:examples python -m tests.app.test_contract_v1

and is recorded again only where version 1 has got more: what it holds is what programs that are out there rely on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from media_library.client import UnexpectedAnswer
from media_library.specification import SPECIFICATION
from postrmagic_core.api import Specification
from postrmagic_core.api.compare import Change, compare
from postrmagic_core.testing.capture import embedded_settings
from tests.app.exchanges import Recorder, Replay, read
from tests.app.house import furnish, hash_at_the_least_cost
from tests.app.second_version import ADDITIVE, BREAKING, SUNSET, serve_both
from tests.app.v1_around import Site, hurry, open_site, unused
from tests.app.v1_calls import PORTRAIT, Program

RECORDED = Path(__file__).with_name("v1_exchanges.json")
Open = Callable[[str, Specification], AbstractContextManager[Site]]


@pytest.fixture
def both(tmp_path: Path, furnished: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """The application with version 1, deprecated, and a second one; asked for the one or the other."""
    hurry(monkeypatch)

    @contextmanager
    def opened(version: str, second: Specification) -> Iterator[Site]:
        serve_both(monkeypatch, second)
        with open_site(tmp_path, furnished, version) as site:
            yield site

    return opened


def replayed(site: Site) -> Iterator[str]:
    """What is answered otherwise than it was recorded."""
    replay = Replay(site)
    for exchange in read(RECORDED.read_text(encoding="utf-8")):
        yield from replay.send(exchange)


def compared(second: Specification) -> list[Change]:
    """What is otherwise in the second version, which stands beside the first, under a path of its own."""
    first = SPECIFICATION.openapi()
    return compare(first, second.openapi() | {"servers": first["servers"]})


def test_every_operation_of_version_1_was_recorded() -> None:
    """So that each of them is kept; and so are refusals."""
    recorded = read(RECORDED.read_text(encoding="utf-8"))
    assert unused({(one.method, one.path.partition("?")[0]) for one in recorded}) == []
    assert {401, 403, 404, 412, 422} <= {one.status for one in recorded}


@pytest.mark.parametrize("version", ["1", "2"])
def test_recorded_requests_are_answered_as_ever_beside_a_second_version(both: Open, version: str) -> None:
    """By version 1, and by version 2: the same statuses, every member with its type and its meaning."""
    with both(version, ADDITIVE) as site:
        assert list(replayed(site)) == []


def test_the_client_of_version_1_works_with_a_second_version(both: Open) -> None:
    """What is new is passed over, and nothing is deprecated."""
    with both("2", ADDITIVE) as site:
        Program(site).run()
        assert site.http("keeper").get("/api/v1/me").headers["api-version"] == "2"


def test_the_client_of_version_1_is_told_when_that_ends(both: Open) -> None:
    """By a warning, with the day."""
    with both("1", ADDITIVE) as site:
        page = site.client("page")
        with pytest.warns(DeprecationWarning, match=f"log_in is deprecated since .* ends on {SUNSET}"):
            page.log_in(name="demo", password="posters-for-everyone")


def test_what_is_new_is_there(both: Open) -> None:
    """A field, a parameter of the query, a field of the body, an operation and a problem: or nothing would be shown."""
    with both("2", ADDITIVE) as site:
        page = site.house.browser()
        medium = page.post("/api/v1/media", files={"file": ("new.png", PORTRAIT)}).json()["data"]
        path = f"/api/v2/media/{medium['id']}"
        assert page.get(path).json()["data"]["alt"] == "Poster: new"
        assert page.get("/api/v2/media?ready=true").json()["data"] == []
        assert page.get("/api/v1/media?ready=true").status_code == 422
        assert page.get("/api/v2/media-total").json()["data"] == {"media": 1}
        change = {"tags": ["archived"], "reason": "it is over"}
        assert page.patch(path, json=change).status_code == 200
        assert page.patch(f"/api/v1/media/{medium['id']}", json=change).status_code == 422
        assert page.get(path).json()["code"] == "media.archived"


def test_comparing_the_documents_finds_nothing_that_breaks() -> None:
    """The check of the project says before what the tests here say by doing it."""
    changes = compared(ADDITIVE)
    assert [change for change in changes if change.kind == "breaking"] == []
    assert "additive" in {change.kind for change in changes}


def test_a_field_with_another_name_is_noticed_by_all_three(both: Open) -> None:
    """The control: comparing, replaying and the client's own reading."""
    found = {(change.code, change.place) for change in compared(BREAKING) if change.kind == "breaking"}
    assert found == {("response.field_removed", "GET /media/{id} 200 data.title")}
    with both("2", BREAKING) as site, pytest.raises(UnexpectedAnswer, match="/data/title"):
        Program(site).run()


def test_a_replay_finds_a_field_that_is_gone(both: Open) -> None:
    """The control of the replay."""
    with both("2", BREAKING) as site:
        assert next(replayed(site)).endswith("/data/title is gone")


def record() -> None:
    """Write what the client of version 1 sends and is answered now."""
    recorder = Recorder()
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        tempfile.TemporaryDirectory() as made,
        tempfile.TemporaryDirectory() as directory,
    ):
        hurry(monkeypatch)
        hash_at_the_least_cost(monkeypatch)
        furnish(embedded_settings(Path(made)))
        with open_site(Path(directory), Path(made) / "app.db", recorder=recorder) as site:
            Program(site).run()
    RECORDED.write_text(recorder.written(), encoding="utf-8")


if __name__ == "__main__":
    record()
