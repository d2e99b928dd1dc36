"""Files that must be refused, whoever uploads them."""

from __future__ import annotations

import struct
import zlib

from .posters import POSTERS, draw


def hostile_files() -> list[tuple[str, bytes, str]]:
    """Name, content and what is wrong, for every kind of file that must be refused."""
    good = draw(POSTERS[0])
    script = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    return [
        ("poster.jpg", b"#!/bin/sh\necho no image\n" * 50, "wrong magic"),
        ("bomb.png", png_header(60_000, 60_000), "decompression bomb"),
        ("empty.png", b"", "0 bytes"),
        ("cut.jpg", good[: len(good) // 2], "truncated"),
        ("n" * 100_000 + ".jpg", good, "100,000-character name"),
        ("drawing.svg", script, "SVG with script"),
        ("drawing.png", script, "SVG under another name"),
        ("big.jpg", good + bytes(21 * 1024 * 1024), "too large"),
    ]


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be huge and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
