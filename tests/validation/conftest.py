"""Images made in memory, and what a validator says about an input."""

from __future__ import annotations

import io
import json
import os
import warnings
import zlib
from collections.abc import Callable
from io import FileIO
from typing import Any

import pytest

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.validation import _decoder, _decoder_process

Picture = Callable[..., bytes]
Growth = Callable[[Callable[[int], object], int], float]
Complaints = Callable[[Callable[[], object]], list[tuple[str, str]]]


@pytest.fixture
def complaints() -> Complaints:
    """Calls what must fail and returns its (pointer, code) pairs."""

    def ask(call: Callable[[], object]) -> list[tuple[str, str]]:
        with pytest.raises(ValidationFailed) as caught:
            call()
        return [(error["pointer"], error["code"]) for error in caught.value.errors]

    return ask


@pytest.fixture
def decoder_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images are decoded in this process: a tenth of the time, for tests that are not about the other process."""
    image = pytest.importorskip("PIL.Image")
    monkeypatch.setattr(image, "MAX_IMAGE_PIXELS", None)

    def run(file: FileIO, request: str, _timeout: float, read: Any) -> tuple[int, bytes, bytes]:
        file.seek(0)
        with os.fdopen(file.fileno(), "rb", closefd=False) as sent, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            head, body = _decoder.answer(sent, json.loads(request))
        return 0, *read(io.BytesIO(json.dumps(head).encode() + b"\n" + body))[:2]

    monkeypatch.setattr(_decoder_process, "_run", run)


@pytest.fixture(scope="session")
def picture() -> Picture:
    """Makes the bytes of a small image with some texture: ``picture("PNG", mode="RGBA", size=(64, 48), **save)``."""
    image = pytest.importorskip("PIL.Image")

    def make(kind: str, *, mode: str = "RGB", size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
        output = io.BytesIO()
        image.effect_noise(size, 60).convert(mode).save(output, kind, **options)
        return output.getvalue()

    return make


@pytest.fixture(scope="session")
def png_header() -> Callable[[int, int], bytes]:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    def make(width: int, height: int) -> bytes:
        size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
        body = chunk(b"IHDR", size + b"\x08\x02\0\0\0") + chunk(b"IDAT", zlib.compress(bytes(64)))
        return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")

    return make
