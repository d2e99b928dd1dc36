"""What stands in for a guard that is taken away."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def none_refused(table: Mapping[str, Any]) -> dict[str, str]:
    """Every file would do."""
    return {}


def in_place(path: Path, text: str, like: os.stat_result | None) -> None:
    """Write into the file itself, as slowly as a disk may be."""
    with path.open("w") as file:
        file.write(text[: len(text) // 2])
        file.flush()
        time.sleep(0.02)
        file.write(text[len(text) // 2 :])


def shown(masker: object, url: str) -> str:
    """A URL as it is."""
    return url


def first_key_alone(ring: Any, message: bytes, *, purpose: str) -> list[bytes]:
    """The fingerprint under the first key of the ring."""
    return [ring.mac(message, purpose=purpose)]


def nothing_valid(text: str) -> tuple[str, dict[str, Any], str | None]:
    """Nothing is read of a file with a wrong line; nor of any other."""
    return "", {}, "it is not TOML"
