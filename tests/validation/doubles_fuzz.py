"""What stands in a guard's place to show that the fuzzing would see it gone."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes


def decoded_twice(text: bytes) -> bytes:
    """Decodes what it decoded, as a proxy and an application may do between them."""
    return unquote_to_bytes(unquote_to_bytes(text))


def always_jpeg(*_: object) -> str:
    """Takes any file for an image."""
    return "JPEG"
