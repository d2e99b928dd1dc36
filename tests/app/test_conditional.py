"""Conditional requests on media: what did not change is not sent again, and no edit is lost unseen."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.app.house import Browser, House, small
from tests.app.test_api import problem
from tests.app.test_jobs import settle

LIST = "/api/v1/media"


@pytest.fixture
def one(house: House) -> str:
    """The path of a medium of the demo user's."""
    return f"{LIST}/{house.add(small()).media_id}"


def etag(browser: Browser, path: str) -> str:
    """The tag of what is there now."""
    found: str = browser.get(path).headers["etag"]
    assert found.startswith('"')  # a strong one
    return found


# Reading


@pytest.mark.parametrize("what", ["medium", "list", "tags", "file"])
def test_what_the_client_has_is_not_sent_again(visitor: Browser, one: str, what: str) -> None:
    """304, empty, with the tag; by GET and HEAD, for a list of tags, a weak one and ``*``."""
    path = {"medium": one, "list": LIST, "tags": "/api/v1/tags", "file": f"{one}/file"}[what]
    tag = etag(visitor, path)
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        for method in ("GET", "HEAD"):
            answer = visitor.request(method, path, headers={"If-None-Match": known})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
            assert answer.headers["api-version"] == "1"
            assert "content-type" not in answer.headers
    for unknown in ('"other"', tag.strip('"'), "", tag[:-1]):
        assert visitor.get(path, headers={"If-None-Match": unknown}).status_code == 200


def test_a_change_is_another_version_and_the_same_again_is_the_first(visitor: Browser, one: str) -> None:
    """Of the medium and of each list it is in; what a change answers is the tag of what is there now."""
    before = etag(visitor, one), etag(visitor, LIST)
    answer = visitor.patch(one, json={"title": "changed"})
    after = etag(visitor, one), etag(visitor, LIST)
    assert answer.headers["etag"] == after[0]
    assert not set(before) & set(after)
    assert visitor.get(one, headers={"If-None-Match": before[0]}).status_code == 200
    visitor.patch(one, json={"title": "poster"})
    assert (etag(visitor, one), etag(visitor, LIST)) == before


def test_what_a_worker_adds_is_another_version(house: House, visitor: Browser, one: str) -> None:
    """The thumbnail and the colours are seen, though somebody has the medium without them."""
    before = etag(visitor, one)
    settle(house)
    answer = visitor.get(one, headers={"If-None-Match": before})
    assert answer.status_code == 200
    assert answer.json()["data"]["thumbnail"]


def test_a_version_tells_nothing_of_another_user_s(house: House, one: str) -> None:
    """With the right tag, or with ``*``, it is 404 as without; nobody is told 401, not 304."""
    tag, other = etag(house.browser(), one), house.browser("guest")
    for known in (tag, "*"):
        for name in ("If-None-Match", "If-Match"):
            problem(other.get(one, headers={name: known}), 404, "media.not_found")
            problem(house.browser(None).get(one, headers={name: known}), 401, "authentication.required")
            for method in ("PATCH", "DELETE"):
                answer = other.request(method, one, headers={name: known}, json={"title": "mine"})
                problem(answer, 404, "media.not_found")
    assert etag(house.browser(), one) == tag


# Changing


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_change_is_made_only_to_the_version_that_was_read(
    house: House, visitor: Browser, one: str, method: str
) -> None:
    """412 for any other, and nothing changed; with the present one, or any (``*``), it is made."""
    stale = etag(visitor, one)
    visitor.patch(one, json={"title": "meanwhile"})
    current, before = visitor.get(one), house.left
    now = current.headers["etag"]
    for wrong in (stale, f"W/{now}", now.strip('"'), '"other", W/"more"', "", ","):
        answer = visitor.request(method, one, json={"title": "lost"}, headers={"If-Match": wrong})
        problem(answer, 412, "precondition.failed")
    for present in (now, f"W/{now}", "*"):
        answer = visitor.request(method, one, json={"title": "lost"}, headers={"If-None-Match": present})
        problem(answer, 412, "precondition.failed")
    assert visitor.get(one).json() == current.json()
    assert house.left == before
    answer = visitor.request(method, one, json={"title": "made"}, headers={"If-Match": f'"other", {now}'})
    assert answer.status_code == (200 if method == "PATCH" else 204)
    again = visitor.request(method, one, json={"title": "again"}, headers={"If-Match": "*"})
    assert again.status_code == (200 if method == "PATCH" else 404)


def test_what_is_not_there_is_404_whatever_was_asked(visitor: Browser) -> None:
    """Not 412: there is nothing to have another version of."""
    for method in ("PATCH", "DELETE"):
        answer = visitor.request(method, f"{LIST}/999999", json={"title": "x"}, headers={"If-Match": "*"})
        problem(answer, 404, "media.not_found")


def test_of_two_who_write_from_one_version_one_is_told(any_house: House) -> None:
    """Both have read the same; each time one edit is made and the other is 412, so that none is lost unseen."""
    path = f"{LIST}/{any_house.add(small()).media_id}"
    writers = [any_house.browser() for _ in range(2)]
    both = threading.Barrier(2, timeout=30)

    def write(writer: Browser, title: str) -> httpx.Response:
        tag = etag(writer, path)
        both.wait()
        return writer.patch(path, json={"title": title}, headers={"If-Match": tag})

    with ThreadPoolExecutor(2) as pool:
        for turn in range(6):
            answers = list(pool.map(write, writers, (f"{turn} by one", f"{turn} by two")))
            won, lost = sorted(answers, key=lambda answer: answer.status_code)
            problem(lost, 412, "precondition.failed")
            assert won.status_code == 200
            assert writers[0].get(path).json() == won.json()


def test_of_a_change_and_a_deletion_from_one_version_one_happens(any_house: House) -> None:
    """Either it is gone and the change is refused, or it was changed and stays."""
    writers = [any_house.browser() for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(4):
            path = f"{LIST}/{any_house.add(small()).media_id}"
            headers = {"If-Match": etag(writers[0], path)}
            edit = pool.submit(writers[0].patch, path, json={"title": "kept"}, headers=headers)
            removal = pool.submit(writers[1].delete, path, headers=headers)
            statuses = (edit.result(60).status_code, removal.result(60).status_code)
            assert statuses in {(200, 412), (404, 204), (412, 204)}
            assert writers[0].get(path).status_code == (200 if statuses[1] == 412 else 404)
