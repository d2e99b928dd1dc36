"""Uploads under faults: whatever breaks, no row without its file, nothing visible by halves, nothing over the quota."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from media_library.hostile import png_header
from media_library.library import Library, QuotaExceeded
from media_library.storage import Damaged, Storage
from media_library.tables import blobs, media, users
from postrmagic_core.testing import spawn
from postrmagic_core.testing.capture import embedded_settings
from postrmagic_core.testing.servers import require
from postrmagic_core.validation import uploads
from postrmagic_core.validation._decoder_process import ask
from tests.app.house import Browser, House, arrived, open_house, small

pytestmark = pytest.mark.fault

ROOT = Path(__file__).parents[2]
IMPORTABLE = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'examples'}"}
LATER = 2 * 3600.0
KILLED = -signal.SIGKILL


# F1: the client is gone before the form's end


def test_a_client_that_goes_in_the_middle_leaves_nothing(house: House, visitor: Browser) -> None:
    """Two megabytes have come, on disk, when the connection ends: the half of a file goes with it."""
    incoming = house.application.library.storage.incoming
    request = visitor.build_request("POST", "/api/v1/media", files={"file": ("a.jpeg", bytes(2 << 20))})
    body = request.read()[:-100]
    headers = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/api/v1/media", "query_string": b"", "headers": headers}
    held: list[list[int]] = []

    def messages() -> Iterator[dict[str, Any]]:
        yield {"type": "http.request", "body": body, "more_body": True}
        held.append([path.stat().st_size for path in incoming.iterdir()])
        yield {"type": "http.disconnect"}

    coming = messages()

    async def receive() -> dict[str, Any]:
        return next(coming, {"type": "http.disconnect"})

    async def send(message: MutableMapping[str, Any]) -> None:
        assert message.get("status", 500) >= 400

    before = house.left
    house.portal.call(house.site, scope | {"client": ("192.0.2.1", 1), "scheme": "https"}, receive, send)
    assert [size > 1 << 20 for size in held[0]] == [True]
    assert house.left == before


# F2: the process is killed between the file and its row


def upload_and_die(directory: str, point: str) -> None:
    """In a process of its own: upload ``directory``/poster.jpeg and be killed at ``point``."""

    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    place, add = Storage.place, Library._add
    ends: dict[str, tuple[type, str, Callable[..., Any]]] = {
        "received": (Library, "add", die),
        "before the file": (Storage, "place", die),
        "after the file": (Storage, "place", lambda *arguments: die(place(*arguments))),
        "after the commit": (Library, "_add", lambda self, tx, *rest: (tx.after_commit(die), add(self, tx, *rest))[1]),
    }
    setattr(*ends[point])
    with open_house(embedded_settings(Path(directory))) as house:
        house.browser().upload("poster.jpeg", Path(directory, "poster.jpeg").read_bytes())


@pytest.mark.parametrize("point", ["received", "before the file", "after the file", "after the commit"])
def test_a_kill_leaves_no_row_without_its_file_and_the_sweep_takes_the_rest(
    tmp_path: Path, furnished: Path, point: str
) -> None:
    """Afterwards rows and files agree, the quota too, and the same upload succeeds."""
    data = small()
    shutil.copy(furnished, tmp_path)
    (tmp_path / "poster.jpeg").write_bytes(data)
    with spawn(upload_and_die, str(tmp_path), point, env=IMPORTABLE) as child:
        assert child.wait(60) == KILLED
    with open_house(embedded_settings(tmp_path)) as house:
        library = house.application.library
        assert recorded(house) == ([hashlib.sha256(data).hexdigest()] if point == "after the commit" else [])
        for digest in recorded(house):
            assert library.storage.intact(digest).read_bytes() == data
        assert library.sweep() == 0  # young: they may belong to an upload under way
        library.sweep(now=time.time() + LATER)
        assert house.left["files"] == {f"blobs/{digest[:2]}/{digest}" for digest in recorded(house)}
        answer = house.browser().upload("poster.jpeg", data)
        assert answer.status_code == (200 if point == "after the commit" else 201)
        assert charged(house) == len(data)


def test_a_sweep_and_an_upload_of_the_same_content_agree(any_house: House) -> None:
    """Whoever comes first: in the end there is the row, and there is its file."""
    library = any_house.application.library
    for _ in range(12):
        data = small()
        digest = hashlib.sha256(data).hexdigest()
        orphan, _ = arrived(any_house.application, data)
        library.storage.place(orphan, library.storage.blob(digest))
        orphan.unlink()
        at_once([lambda data=data: any_house.add(data), lambda digest=digest: library.discard(digest)])  # type: ignore[misc]  # the defaults bind
        assert digest in recorded(any_house)
        assert library.storage.intact(digest).read_bytes() == data


def test_the_worker_sweeps_when_it_starts(tmp_path: Path, furnished: Path) -> None:
    """And so does the command, for whoever has a schedule of his own."""
    shutil.copy(furnished, tmp_path)
    left = tmp_path / "media" / "incoming" / "left-behind"
    for command in (
        ["-c", "from media_library.worker import stack\nwith stack: pass"],
        ["-m", "media_library", "sweep"],
    ):
        left.parent.mkdir(parents=True, exist_ok=True)
        left.touch()
        os.utime(left, (0, 0))
        environment = {**os.environ, **IMPORTABLE, "POSTRMAGIC_STACK__DATA_DIR": str(tmp_path)}
        subprocess.run([sys.executable, *command], env=environment, check=True, capture_output=True, timeout=60)
        assert not left.exists()


def recorded(house: House) -> list[str]:
    """The digests that rows name."""
    with house.application.stack.database.read() as unit:
        return list(unit.scalars(select(blobs.c.digest).order_by(blobs.c.digest)))


def charged(house: House, name: str = "demo") -> int:
    """The bytes charged to a user; they must be those of the user's media."""
    of_user = media.c.user_id == house.user_id(name)
    held = select(func.coalesce(func.sum(blobs.c.size), 0)).select_from(media.join(blobs)).where(of_user)
    with house.application.stack.database.read() as unit:
        used = unit.scalar(select(users.c.used_bytes).where(users.c.name == name))
        assert used == int(unit.scalar(held))
        return int(used)


# F3: the disk is full, or broken


def tell_upload(directory: str) -> None:
    """In a process of its own: print the status and code of an upload, and what it left."""
    tempfile._name_sequence = iter(["known"] * 9)  # type: ignore[attr-defined]  # the file to be refused needs a name
    with open_house(embedded_settings(Path(directory))) as house:
        before, visitor = house.left, house.browser()
        answer = visitor.upload("poster.jpeg", Path(directory, "poster.jpeg").read_bytes())
        after = house.left
        files = sorted(after.pop("files"))  # type: ignore[call-overload]  # a set of names
        del before["files"]
        seen = visitor.get("/api/v1/media").json()["data"]
        sys.stdout.write(json.dumps([answer.status_code, answer.json()["code"], files, after == before, seen]))


@pytest.mark.parametrize(
    ("call", "where", "error", "status"),
    [
        pytest.param("openat", "incoming/.upload-known.part", "ENOSPC", 507, marks=pytest.mark.soak),
        ("write", "incoming/.upload-known.part", "ENOSPC", 507),
        pytest.param("write", "incoming/.upload-known.part", "EIO", 503, marks=pytest.mark.soak),
        ("fsync", "incoming/.upload-known.part", "EIO", 503),
        pytest.param("mkdir", "{folder}", "ENOSPC", 507, marks=pytest.mark.soak),
        ("link,linkat", "{folder}/{digest}", "EDQUOT", 507),
        pytest.param("fsync", "{folder}", "EIO", 503, marks=pytest.mark.soak),
    ],
)
def test_a_disk_that_fails_at_any_step_is_told_and_shows_nothing(
    tmp_path: Path, furnished: Path, call: str, where: str, error: str, status: int
) -> None:
    """507 when it is full, 503 when it does not answer; no row, job or event, and at most a file for the sweep."""
    strace = require(shutil.which("strace"), "strace makes system calls fail")
    data = small()
    digest = hashlib.sha256(data).hexdigest()
    shutil.copy(furnished, tmp_path)
    (tmp_path / "poster.jpeg").write_bytes(data)
    path = tmp_path / "media" / where.format(folder=f"blobs/{digest[:2]}", digest=digest)
    program = (
        "from postrmagic_core.testing.faults import apply_from_environment; apply_from_environment();"
        f"from tests.app.test_faults import tell_upload; tell_upload({str(tmp_path)!r})"
    )
    tracing = [
        strace,
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-o",
        str(tmp_path / "trace"),
        "-P",
        str(path),
        "-e",
        f"trace={call}",
    ]
    command = [*tracing, "-e", f"inject={call}:error={error}", sys.executable, "-c", program]
    done = subprocess.run(
        command, env={**os.environ, **IMPORTABLE}, capture_output=True, text=True, timeout=90, check=False
    )
    assert "(INJECTED)" in (tmp_path / "trace").read_text(), done.stderr
    found, code, files, unchanged, seen = json.loads(done.stdout.splitlines()[-1])
    assert found == status, (code, done.stderr)
    assert (unchanged, seen) == (True, [])
    assert files in ([], [f"blobs/{digest[:2]}/{digest}"])


# F4, F6: many at once


def at_once(calls: list[Callable[[], object]]) -> list[object]:
    """What each call gave or raised, all running together."""

    def outcome(call: Callable[[], object]) -> object:
        try:
            return call()
        except QuotaExceeded as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(outcome, calls))


def test_the_same_content_in_parallel_is_one_file_and_everybody_has_it(any_house: House) -> None:
    """Two users, five tries each: all succeed, each user has one medium, both share one file."""
    data = small()
    results = at_once([lambda name=name: any_house.add(data, name) for name in ("demo", "guest") * 5])  # type: ignore[misc]  # the default binds the name
    created = Counter(result.created for result in results)  # type: ignore[attr-defined]  # anything else fails here
    assert created == {True: 2, False: 8}
    digest = hashlib.sha256(data).hexdigest()
    assert recorded(any_house) == [digest]
    assert any_house.left["files"] == {f"blobs/{digest[:2]}/{digest}"}
    assert charged(any_house) == charged(any_house, "guest") == len(data)


def test_twenty_uploads_in_parallel_never_pass_the_quota(any_house: House) -> None:
    """Some fit, the others are told; what is charged is what is there."""
    pictures = [small() for _ in range(20)]
    quota = sum(len(data) for data in pictures) // 4
    any_house.limit(quota)
    results = at_once([lambda data=data: any_house.add(data) for data in pictures])  # type: ignore[misc]  # as above
    refused = sum(isinstance(result, QuotaExceeded) for result in results)
    assert 0 < refused < len(pictures)
    assert charged(any_house) <= quota
    assert len(recorded(any_house)) == len(pictures) - refused
    assert len(any_house.left["files"]) == len(pictures) - refused  # type: ignore[arg-type]  # the files are a set of names


# F5: a picture that costs


def test_an_expensive_picture_costs_the_web_process_nothing(visitor: Browser) -> None:
    """49 million pixels are decoded, 147 MB of them, but not here."""
    vast = black_png(7000, 7000)
    before = resident_peak()
    assert visitor.upload("vast.png", vast).status_code == 201
    assert resident_peak() - before < 60 << 20


def test_a_picture_that_takes_too_long_is_refused(
    house: House, visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """422 after the policy's time, and the decoder is gone."""
    monkeypatch.setattr(
        uploads, "ask", lambda file, kind, policy, *rest: ask(file, kind, replace(policy, timeout=0.001), *rest)
    )
    before = house.left
    answer = visitor.upload("poster.jpeg", small())
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "upload.too_costly")
    assert house.left == before


def black_png(width: int, height: int) -> bytes:
    """A whole image, made row by row: making it must not take the memory that decoding it would."""
    compressor = zlib.compressobj(1)
    data = b"".join(compressor.compress(bytes(1 + 3 * width)) for _ in range(height)) + compressor.flush()
    whole = png_header(width, height)
    end = whole[-12:]
    header = whole[: whole.index(b"IDAT") - 4]
    return header + struct.pack(">I", len(data)) + b"IDAT" + data + struct.pack(">I", zlib.crc32(b"IDAT" + data)) + end


def resident_peak() -> int:
    """The most memory that this process has held so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# F7: the disk forgets


@pytest.mark.parametrize("damage", ["a bit", "the end", "everything"])
def test_a_damaged_file_is_never_given_out(
    house: House, visitor: Browser, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    """Not a byte of it: 500 with a code, and the operator is told; its neighbours are served on."""
    data = small()
    item, other = visitor.added(data), visitor.added()
    path = house.application.library.storage.blob(hashlib.sha256(data).hexdigest())
    broken = {"a bit": data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], "the end": data[:-1], "everything": None}[damage]
    path.unlink()
    if broken is not None:
        path.write_bytes(broken)
    for headers in ({}, {"Range": "bytes=0-9"}):
        answer = visitor.get(item["file"], headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (500, "media.damaged")
    told = [record for record in caplog.records if record.levelname == "ERROR" and record.exc_info]
    assert [record.exc_info[0] for record in told if record.exc_info] == [Damaged, Damaged]
    assert visitor.get(other["file"]).status_code == 200
