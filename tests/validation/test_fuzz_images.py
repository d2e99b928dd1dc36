"""Images under fire: a file after any accident is an image or refused, in bounded time, and nothing else happens."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import ImageInfo, ImagePolicy, inspect, receive, render
from postrmagic_core.validation._decoder import end_of_jpeg, end_of_png, end_of_webp
from tests.validation.fuzzing import fuzz, mutated, runs

POLICY = ImagePolicy(max_bytes=200_000, max_pixels=10_000, timeout=5)
HEADS = [
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF\0\0\0\0WEBP",
    b"GIF89a",
    b"BM",
    b"%PDF-",
    b"PK\x03\x04",
    b"<svg",
    b"%!PS",
]
ENDS: dict[str, Callable[[Any], int | None]] = {"JPEG": end_of_jpeg, "PNG": end_of_png, "WEBP": end_of_webp}


@pytest.fixture(scope="module")
def originals(picture: Any) -> list[bytes]:
    """Small images of every accepted format, some with what images carry along."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    size = (24, 16)
    return [
        picture("JPEG", size=size, exif=exif.tobytes(), comment=b"x" * 30),
        picture("JPEG", size=size, progressive=True),
        picture("PNG", size=size, mode="P"),
        picture("PNG", size=size, mode="RGBA", exif=exif.tobytes()),
        picture("WEBP", size=size, exif=exif.tobytes()),
        picture("WEBP", size=size, lossless=True),
    ]


def looked_at(data: bytes, directory: Path) -> ImageInfo | ValidationFailed:
    """What the image is, or what is wrong with it."""
    try:
        with receive(io.BytesIO(data), POLICY, directory) as upload:
            return inspect(upload.path, POLICY)
    except ValidationFailed as error:
        return error


@pytest.mark.parametrize("examples", runs(10))
def test_a_damaged_image_is_an_image_or_refused(examples: int, originals: list[bytes], tmp_path: Path) -> None:
    """Given bits turned, ends cut off, chunks of one put into another: known width and height, or ``upload.*``."""

    def check(data: bytes) -> None:
        found = looked_at(data, tmp_path)
        if isinstance(found, ValidationFailed):
            assert [(it["pointer"], it["code"][:7]) for it in found.errors] == [("/file", "upload.")]
        else:
            assert 0 < found.width * found.height <= POLICY.max_pixels
            assert found.size == len(data)
        assert list(tmp_path.iterdir()) == []

    fuzz(check, mutated(*originals), examples)


@pytest.mark.parametrize("examples", runs(4))
def test_a_damaged_image_is_rendered_or_refused(examples: int, originals: list[bytes], tmp_path: Path) -> None:
    """What is made of a damaged image is whole, and of the asked size at most."""
    from PIL import Image

    def check(data: bytes) -> None:
        with receive(io.BytesIO(data), POLICY, tmp_path) as upload:
            made = render(upload.path, width=10, height=10, policy=POLICY)
        with Image.open(io.BytesIO(made), formats=["WEBP"]) as image:
            image.load()
            assert max(image.size) <= 10
            assert not image.getexif()

    fuzz(check, mutated(*originals), examples, ValidationFailed)


@pytest.mark.parametrize("examples", runs(60))
def test_bytes_that_begin_otherwise_are_never_decoded(examples: int, tmp_path: Path) -> None:
    """Only the first bytes decide whether a decoder may look: none is started for any others."""
    nobody = ImagePolicy(max_bytes=200_000, timeout=1e-9)  # a decoder that was started would be killed

    def check(data: bytes) -> None:
        path = tmp_path / "upload"
        path.write_bytes(data)
        with pytest.raises(ValidationFailed) as caught:
            inspect(path, nobody)
        assert caught.value.errors[0]["code"] in {"upload.unknown_format", "upload.empty"}

    heads = st.sampled_from(
        [*HEADS[3:], b"\xff\xd8", b"\x89PNG\n", b"RIFF\0\0\0\0WAVE", b"RIFX\0\0\0\0WEBP", b"\xef\xbb\xbf\xff\xd8\xff"]
    )
    fuzz(check, st.tuples(heads | st.just(b""), st.binary(max_size=30)).map(b"".join).filter(is_no_image), examples)


def is_no_image(data: bytes) -> bool:
    """Whether the first bytes are those of no format that is read."""
    return not data.startswith((HEADS[0], HEADS[1])) and (data[:4], data[8:12]) != (b"RIFF", b"WEBP")


@pytest.mark.parametrize("examples", runs(80))
@pytest.mark.parametrize("kind", ENDS)
def test_the_end_is_found_or_missing(kind: str, examples: int, originals: list[bytes]) -> None:
    """For any bytes: an offset within them that is behind the image, or none."""

    def check(data: bytes) -> None:
        end = ENDS[kind](data)
        assert end is None or 0 < end <= len(data)
        if end is not None and end >= 12:  # a WebP that claims to end within its head
            assert ENDS[kind](data[:end]) == end

    fuzz(check, mutated(*originals, *HEADS) | st.binary(max_size=40), examples)


LONG: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "JPEG, fill bytes": ("JPEG", lambda n: b"\xff\xd8" + b"\xff" * n),
    "JPEG, empty segments": ("JPEG", lambda n: b"\xff\xd8" + b"\xff\xe0\0\2" * (n // 4)),
    "JPEG, segments of no length": ("JPEG", lambda n: b"\xff\xd8" + b"\xff\xe0\0\0" * (n // 4)),
    "JPEG, scans": ("JPEG", lambda n: b"\xff\xd8" + b"\xff\xda\0\2\0" * (n // 5)),
    "JPEG, one endless scan": ("JPEG", lambda n: b"\xff\xd8\xff\xda\0\2" + b"\xff\0" * (n // 2)),
    "PNG, empty chunks": ("PNG", lambda n: b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0tEXt\0\0\0\0" * (n // 12)),
    "PNG, a chunk beyond the end": ("PNG", lambda n: b"\x89PNG\r\n\x1a\n" + b"\xff" * n),
    "WebP, empty chunks": ("WEBP", lambda n: b"RIFF\xff\xff\xff\x7fWEBP" + b"XXXX\0\0\0\0" * (n // 8)),
}


@pytest.mark.parametrize("shape", LONG)
def test_finding_the_end_takes_linear_time(shape: str) -> None:
    """Twice the file takes less than three times as long."""
    kind, make = LONG[shape]
    files = {size: make(size) for size in (100_000, 200_000)}
    assert growth(lambda size: ENDS[kind](files[size]), 100_000) < 3
