"""What a picture looks like: its colours by weight, its orientation as a person sees it, decoded elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from media_library.colours import coarse, look_at, palette
from media_library.library import POLICY
from media_library.posters import POSTERS, draw
from postrmagic_core.errors import ValidationFailed

RED, GREEN, BLUE, WHITE = (204, 0, 0), (0, 153, 0), (0, 0, 255), (255, 255, 255)


def stripes(*widths: tuple[tuple[int, ...], int], height: int = 80, mode: str = "RGB") -> Image.Image:
    """Upright stripes of these colours and widths."""
    image = Image.new(mode, (sum(width for _, width in widths), height))
    left = 0
    for colour, width in widths:
        image.paste(colour, (left, 0, left + width, height))
        left += width
    return image


def stored(directory: Path, image: Image.Image, **options: Any) -> Path:
    """The image as a PNG file, which keeps every colour, or as ``format`` says."""
    path = directory / "picture"
    image.save(path, **{"format": "PNG"} | options)
    return path


def test_the_most_frequent_colour_comes_first(tmp_path: Path) -> None:
    """Exact where the picture has few, in the order of the room they take."""
    path = stored(tmp_path, stripes((RED, 20), (GREEN, 40), (BLUE, 12), (WHITE, 8)))
    assert look_at(path, POLICY).colours == ("#009900", "#cc0000", "#0000ff", "#ffffff")


def test_shades_of_a_colour_count_as_one_and_a_hair_as_none() -> None:
    """The most frequent shade speaks for the others, and together they may come first."""
    counted = [(40, (0, 0, 0)), (30, (200, 0, 0)), (25, (210, 10, 0)), (4, (0, 0, 255)), (1, (0, 255, 0))]
    assert palette(counted) == ("#c80000", "#000000", "#0000ff")


def test_there_are_four_at_most_and_none_of_nothing() -> None:
    """More would be no palette."""
    assert len(palette([(1, (value, value, value)) for value in range(0, 256, 51)])) == 4
    assert palette([]) == ()


def test_what_is_transparent_is_seen_on_white(tmp_path: Path) -> None:
    """As a page shows it."""
    path = stored(tmp_path, stripes(((*RED, 255), 30), ((0, 0, 0, 0), 50), mode="RGBA"))
    assert look_at(path, POLICY).colours == ("#ffffff", "#cc0000")


@pytest.mark.parametrize(
    ("size", "orientation"),
    [
        ((60, 80), "portrait"),
        ((80, 60), "landscape"),
        ((80, 80), "square"),
        ((80, 78), "square"),
        ((1, 90), "portrait"),
    ],
)
def test_the_orientation_is_told_in_a_word(tmp_path: Path, size: tuple[int, int], orientation: str) -> None:
    """Sides that nearly agree are square."""
    assert look_at(stored(tmp_path, Image.new("RGB", size)), POLICY).orientation == orientation


def test_a_turned_photograph_is_seen_upright(tmp_path: Path) -> None:
    """By its EXIF orientation: the camera lay on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = stored(tmp_path, Image.new("RGB", (80, 60)), format="JPEG", exif=exif)
    assert look_at(path, POLICY).orientation == "portrait"


def test_a_picture_is_decoded_elsewhere_only_its_small_rendition_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one image opened in this process is a PNG of 96 pixels at most, made by the bounded decoder."""
    opened: list[tuple[str | None, tuple[int, int]]] = []
    real = Image.open

    def noting(file: Any, *arguments: Any, **options: Any) -> Any:
        image = real(file, *arguments, **options)
        opened.append((image.format, image.size))
        return image

    path = tmp_path / "poster"
    path.write_bytes(draw(POSTERS[0]))
    monkeypatch.setattr(Image, "open", noting)
    assert len(look_at(path, POLICY).colours) == 4
    assert opened == [("PNG", (72, 96))]


@pytest.mark.parametrize("data", [b"no picture", draw(POSTERS[0], size=(60, 80))[:-200]])
def test_what_is_no_whole_picture_is_refused(tmp_path: Path, data: bytes) -> None:
    """As an upload of it would be."""
    path = tmp_path / "picture"
    path.write_bytes(data)
    with pytest.raises(ValidationFailed):
        look_at(path, POLICY)


@pytest.mark.parametrize(
    ("colour", "expected"), [("#000000", "#000000"), ("#1a7f80", "#336699"), ("#e5e6ff", "#ccffff")]
)
def test_like_colours_are_counted_under_one(colour: str, expected: str) -> None:
    """The nearest multiple of 0x33 in each part."""
    assert coarse(colour) == expected
