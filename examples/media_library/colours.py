"""What a picture looks like at a glance: its colours and its orientation, from a small rendition of it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from postrmagic_core.validation import ImagePolicy
from postrmagic_core.validation.uploads import render

MOST = 4
_SIDE = 96
# Colours nearer than this (Euclidean, in sRGB) are shades of one; one on less of the picture is a detail of it.
_NEAR = 48
_LEAST_SHARE = 0.02
# Sides that differ by less look alike.
_SQUARE = 0.05


@dataclass(frozen=True, slots=True)
class Look:
    """``colours`` as ``#rrggbb``, the most frequent first; ``orientation``: portrait, landscape or square."""

    colours: tuple[str, ...]
    orientation: str


def look_at(original: Path, policy: ImagePolicy) -> Look:
    """How the picture in this file looks, seen upright and on white.

    The file is decoded by the bounded process alone: what is counted here is the 96-pixel rendition that it made.
    Raises what :func:`render` does.
    """
    # Only the worker counts colours; the web process, which imports the tasks too, needs no decoder.
    from PIL import Image

    small = render(original, width=_SIDE, height=_SIDE, format="PNG", policy=policy)
    with Image.open(io.BytesIO(small), formats=["PNG"]) as opened:
        seen = opened.convert("RGBA")
    white = Image.new("RGBA", seen.size, "white")
    few = Image.alpha_composite(white, seen).convert("RGB").quantize(16, Image.Quantize.MEDIANCUT).convert("RGB")
    counted = few.getcolors() or []
    return Look(palette([(count, colour) for count, colour in counted if isinstance(colour, tuple)]), _turn(*seen.size))


def palette(counted: Iterable[tuple[int, tuple[int, ...]]]) -> tuple[str, ...]:
    """Up to four colours of those counted, the most frequent first; each stands for the shades around it."""
    shades: list[tuple[tuple[int, ...], int]] = []
    total = 0
    for count, colour in sorted(counted, key=lambda pair: (-pair[0], pair[1])):
        total += count
        near = next((at for at, (other, _) in enumerate(shades) if _distance(colour, other) < _NEAR), None)
        if near is None:
            shades.append((colour, count))
        else:
            shades[near] = (shades[near][0], shades[near][1] + count)
    shades.sort(key=lambda shade: -shade[1])
    kept = [colour for colour, count in shades[:MOST] if count >= _LEAST_SHARE * total]
    return tuple("#{:02x}{:02x}{:02x}".format(*colour) for colour in kept)


def coarse(colour: str) -> str:
    """The nearest of 216 colours (each part a multiple of 0x33): like colours of several pictures count as one."""
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(part / 0x33) * 0x33:02x}" for part in parts)


def _distance(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5)


def _turn(width: int, height: int) -> str:
    if abs(width - height) <= _SQUARE * max(width, height):
        return "square"
    return "portrait" if height > width else "landscape"
