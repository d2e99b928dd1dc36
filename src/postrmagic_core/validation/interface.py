"""What the room's functions take and give: limits, the policy of an image upload, and what was found out about it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import ConfigurationError

FORMATS = {
    "JPEG": ("image/jpeg", (".jpg", ".jpeg", ".jpe", ".jfif")),
    "PNG": ("image/png", (".png",)),
    "WEBP": ("image/webp", (".webp",)),
}
"""The formats read here, each with its media type (IANA) and the endings a file name may have."""

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class InputLimits:
    """What one input may cost before its meaning is looked at.

    ``depth``: arrays and objects inside each other. ``items``: values at any depth, containers included (for a form:
    its pairs). ``bytes``: the size of a JSON body; for Python data and forms, of all texts and keys together.
    ``problems``: told at once; an input with more of them is refused for that alone.
    """

    depth: int = 32
    items: int = 10_000
    bytes: int = _MIB
    problems: int = 1_000

    def __post_init__(self) -> None:
        if min(self.depth, self.items, self.bytes, self.problems) < 1:
            raise ConfigurationError("InputLimits: depth, items, bytes and problems must each be at least 1")


@dataclass(frozen=True, slots=True)
class ImagePolicy:
    """Which images are accepted, and what looking at one may cost.

    ``max_bytes``: of the file. ``max_pixels``: width times height, known from the header before anything is decoded.
    ``formats``: some of :data:`FORMATS`. ``max_frames``: 1 refuses animations. ``trailing_data``: accept bytes after
    the image's end (phone photographs may carry a second picture or a film there; so do files that are two things at
    once). ``timeout``: seconds for one look. ``field``: the input the errors point at.
    """

    max_bytes: int = 20 * _MIB
    max_pixels: int = 40_000_000
    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP")
    max_frames: int = 1
    trailing_data: bool = False
    timeout: float = 10.0
    field: str = "file"

    def __post_init__(self) -> None:
        unknown = sorted(set(self.formats) - FORMATS.keys())
        if unknown or not self.formats:
            raise ConfigurationError(f"ImagePolicy: formats must be some of {', '.join(FORMATS)}, got {self.formats!r}")
        if min(self.max_bytes, self.max_pixels, self.max_frames) < 1 or not 0 < self.timeout < math.inf:
            raise ConfigurationError("ImagePolicy: max_bytes, max_pixels, max_frames and timeout must be positive")

    @property
    def memory(self) -> int:
        """Bytes of address space for the process that decodes: its own, and three copies at four bytes a pixel."""
        return 384 * _MIB + 12 * self.max_pixels


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image that was decoded whole: ``width`` and ``height`` in pixels as stored (orientation not applied)."""

    format: str
    width: int
    height: int
    sha256: str
    size: int
    mime: str
