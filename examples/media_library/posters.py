"""Posters drawn here, so that the demonstration needs no pictures of anybody's."""

from __future__ import annotations

import colorsys
import io
import math
import random
import unicodedata
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

SIZE = (900, 1200)


@dataclass(frozen=True, slots=True)
class Poster:
    """One event: what is drawn, and what it is filed under."""

    title: str
    place: str
    when: str
    tags: tuple[str, ...]
    format: str = "JPEG"

    @property
    def filename(self) -> str:
        """A name as a camera or a designer would give it."""
        return f"{self.title.lower().replace(' ', '-')}.{self.format.lower()}"


POSTERS = (
    Poster("Jazz at Dusk", "Harbour Stage", "12 June", ("jazz", "music", "outdoor")),
    Poster("Night of the Long Films", "Roxy", "3 October", ("cinema", "night"), "PNG"),
    Poster("Street Food Market", "Old Town Square", "Every Saturday", ("food", "market", "outdoor"), "WEBP"),
    Poster("Cello and Candlelight", "St. Anne", "24 December", ("music", "classical", "night")),
    Poster("Repair Café", "Library, 2nd floor", "First Monday", ("workshop", "free"), "PNG"),
    Poster("City Marathon", "Start: Town Hall", "9 May", ("sport", "outdoor")),
    Poster("Poetry Slam", "The Cellar", "17 March", ("stage", "night"), "WEBP"),
    Poster("Contemporary Dance", "Depot 5", "1 to 4 April", ("stage", "dance")),
    Poster("Flea Market", "Riverside", "Sundays", ("market", "outdoor", "free"), "PNG"),
    Poster("Open Air Opera", "Castle Hill", "20 July", ("music", "classical", "outdoor")),
    Poster("Science Fair", "School of Engineering", "8 November", ("workshop", "family", "free")),
    Poster("Winter Lantern Walk", "Lake Park", "6 January", ("family", "outdoor", "night"), "WEBP"),
)


def draw(poster: Poster, *, seed: int | None = None, size: tuple[int, int] = SIZE) -> bytes:
    """The poster as an encoded image; the same poster and seed give the same bytes."""
    chance = random.Random(f"{poster.title}/{seed}")  # noqa: S311 - a picture, not a secret
    hue = chance.random()
    image = Image.new("RGB", size, _colour(hue, 0.65, 0.16))
    pen = ImageDraw.Draw(image, "RGBA")
    _shapes(pen, chance, hue, size)
    _lettering(pen, poster, hue, size)
    buffer = io.BytesIO()
    image.save(buffer, poster.format, quality=88) if poster.format != "PNG" else image.save(buffer, "PNG")
    return buffer.getvalue()


def _shapes(pen: ImageDraw.ImageDraw, chance: random.Random, hue: float, size: tuple[int, int]) -> None:
    width, height = size
    centre = (chance.uniform(0.3, 0.7) * width, chance.uniform(0.3, 0.5) * height)
    for ring in range(14, 0, -1):
        radius = ring * width / 18
        tint = _colour(hue + 0.03 * ring, 0.75, 0.25 + 0.045 * (14 - ring))
        box = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
        pen.ellipse(box, fill=(*tint, 235))
    for _ in range(chance.randint(18, 36)):
        angle, reach = chance.uniform(0, 2 * math.pi), chance.uniform(0.2, 0.9) * width
        end = (centre[0] + math.cos(angle) * reach, centre[1] + math.sin(angle) * reach)
        tint = _colour(hue + 0.5 + chance.uniform(-0.08, 0.08), 0.7, 0.95)
        pen.line((*centre, *end), fill=(*tint, 120), width=chance.randint(2, 9))


def _lettering(pen: ImageDraw.ImageDraw, poster: Poster, hue: float, size: tuple[int, int]) -> None:
    width, height = size
    margin = width // 14
    pen.rectangle((0, height * 0.7, width, height), fill=(*_colour(hue, 0.7, 0.1), 225))
    # Pillow's own font has no accents: the letters are drawn without them.
    title = unicodedata.normalize("NFKD", poster.title).encode("ascii", "ignore").decode()
    lines = [(title, width // 11, 1.0), (poster.place, width // 22, 0.82), (poster.when, width // 22, 0.82)]
    top = height * 0.735
    for words, points, light in lines:
        fitting = points
        while pen.textlength(words, font=ImageFont.load_default(size=fitting)) > width - 2 * margin:
            fitting -= 2
        font = ImageFont.load_default(size=fitting)
        pen.text((margin, top), words, font=font, fill=_colour(hue + 0.5, 0.12, light))
        top += fitting * 1.45


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, min(value, 1.0))
    return int(red * 255), int(green * 255), int(blue * 255)
