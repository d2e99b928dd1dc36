"""Images made in memory, and what a validator says about an input."""

from __future__ import annotations

import io
import math
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from postrmagic_core.errors import ValidationFailed

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
def growth() -> Growth:
    """How many times as long ``call(2 * size)`` takes as ``call(size)``: processor time, the best of turns taken."""

    def measure(call: Callable[[int], object], size: int) -> float:
        best = {size: math.inf, 2 * size: math.inf}
        for _ in range(7):
            for each, shortest in best.items():
                begin = time.thread_time()
                call(each)
                best[each] = min(shortest, time.thread_time() - begin)
        # Half a millisecond on both: below it the clock decides, and no shape that matters stays below it.
        return (best[2 * size] + 0.0005) / (best[size] + 0.0005)

    return measure


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
