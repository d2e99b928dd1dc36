"""The async face receives, inspects and renders without holding the loop up, and cleans up when cancelled."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.errors import NotOpen
from postrmagic_core.validation import AsyncUploads, ImagePolicy
from postrmagic_core.validation.uploads import Receiving

POLICY = ImagePolicy(max_bytes=64 << 20)


def files(directory: Path) -> list[Path]:
    """What is in it now."""
    return list(directory.iterdir())


async def pieces(data: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    """The body of a request."""
    for at in range(0, len(data), size):
        await asyncio.sleep(0)
        yield data[at : at + size]


def test_it_does_what_the_sync_face_does(picture: Any, tmp_path: Path) -> None:
    """Receive, inspect, render: the same findings."""
    data = picture("PNG")

    async def scenario() -> None:
        async with AsyncUploads() as uploads:
            with await uploads.receive(pieces(data, 1000), POLICY, tmp_path) as upload:
                info = await uploads.inspect(upload.path, POLICY, name="x.png")
                made = await uploads.render(upload.path, width=16)
        assert info.sha256 == upload.sha256 == hashlib.sha256(data).hexdigest()
        assert info.size == upload.size == len(data)
        assert made[8:12] == b"WEBP"

    asyncio.run(scenario())
    assert files(tmp_path) == []


def test_it_works_only_while_open(tmp_path: Path) -> None:
    """Before and after, it says what to do."""

    async def scenario() -> None:
        uploads = AsyncUploads()
        with pytest.raises(NotOpen, match="open"):
            await uploads.receive(pieces(b"x"), POLICY, tmp_path)
        async with uploads:
            (await uploads.receive(pieces(b"x"), POLICY, tmp_path)).discard()
        with pytest.raises(NotOpen, match="closed"):
            await uploads.inspect(tmp_path / "x", POLICY)

    asyncio.run(scenario())


def test_a_cancelled_upload_leaves_no_file(tmp_path: Path) -> None:
    """The client went away: CancelledError arrives, the part is gone."""

    async def scenario() -> None:
        reached, never = asyncio.Event(), asyncio.Event()

        async def stuck() -> AsyncIterator[bytes]:
            yield os.urandom(300_000)
            reached.set()
            await never.wait()

        async with AsyncUploads() as uploads:
            task = asyncio.create_task(uploads.receive(stuck(), POLICY, tmp_path))
            await reached.wait()
            assert len(files(tmp_path)) == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert files(tmp_path) == []

    asyncio.run(scenario())


@pytest.mark.parametrize("turns", range(12))
def test_cancelled_at_any_moment_it_leaves_no_file(turns: int, tmp_path: Path) -> None:
    """After any number of turns of the loop, the file is either whole and returned, or gone."""

    async def scenario() -> None:
        async with AsyncUploads() as uploads:
            task = asyncio.create_task(uploads.receive(pieces(b"x" * 700_000, 300_000), POLICY, tmp_path))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            kept = [] if task.cancelled() else [task.result().path]
            assert files(tmp_path) == kept

    asyncio.run(scenario())


@pytest.mark.parametrize(("data", "code"), [(b"", "upload.empty"), (b"x" * 101, "upload.too_large")])
def test_refusals_are_the_same(data: bytes, code: str, tmp_path: Path, complaints: Any) -> None:
    """Too much and nothing; the file is gone."""

    async def scenario() -> None:
        async with AsyncUploads() as uploads:
            await uploads.receive(pieces(data), ImagePolicy(max_bytes=100), tmp_path)

    assert complaints(lambda: asyncio.run(scenario())) == [("/file", code)]
    assert files(tmp_path) == []


@pytest.mark.parametrize("step", ["__init__", "write", "finish"])
def test_the_loop_never_waits_for_the_disk(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making the file, writing and syncing it are done on other threads than the loop's."""
    threads, real = set(), getattr(Receiving, step)

    def watched(*given: Any) -> Any:
        threads.add(threading.get_ident())
        return real(*given)

    monkeypatch.setattr(Receiving, step, watched)

    async def scenario() -> None:
        async with AsyncUploads() as uploads:
            (await uploads.receive(pieces(b"x" * (1 << 20), 1 << 18), POLICY, tmp_path)).discard()

    asyncio.run(scenario())
    assert threads
    assert threading.get_ident() not in threads
