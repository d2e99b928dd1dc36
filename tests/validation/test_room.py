"""The room opens without what only some of it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from postrmagic_core import validation


def test_its_names_are_there() -> None:
    """Everything it shows can be had; anything else is an AttributeError as usual."""
    assert all(getattr(validation, name) for name in validation.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        validation.Nothing  # noqa: B018 - the access is the test


def test_importing_it_loads_no_image_library() -> None:
    """Neither Pillow, nor the sanitizer, nor asyncio, before something asks for them."""
    program = (
        "import sys, postrmagic_core.validation as room;"
        "print(sorted({'PIL', 'nh3', 'asyncio'} & set(sys.modules)));"
        "room.AsyncUploads; print('asyncio' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True).stdout
    assert output.split("\n")[:2] == ["[]", "True"]
