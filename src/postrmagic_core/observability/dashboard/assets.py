"""The dashboard's own style, scripts and icon, named after their content so that browsers keep them for good."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).parent / "assets"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


class Asset(NamedTuple):
    """A file as it is sent."""

    body: bytes
    media_type: str


@cache
def assets() -> dict[str, Asset]:
    """All of them, by name; read once."""
    files = sorted(path for path in _FOLDER.iterdir() if path.suffix in _TYPES)
    return {path.name: Asset(path.read_bytes(), _TYPES[path.suffix]) for path in files}


@cache
def version() -> str:
    """Names the content of all: another one, another address; one for all, so that scripts find each other."""
    digest = hashlib.sha256()
    for name, asset in assets().items():
        digest.update(name.encode() + b"\0" + asset.body + b"\0")
    return digest.hexdigest()[:16]


def find(path: str) -> Asset | None:
    """What stands at ``version/name``; nothing of another version, nor of elsewhere on the disk."""
    given, _, name = path.partition("/")
    return assets().get(name) if given == version() else None
