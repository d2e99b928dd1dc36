"""The guide to uploads says which files are taken, and says it as the code has it (ASVS 5.1.1)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postrmagic_core.validation import ImagePolicy
from postrmagic_core.validation.images import ImageUpload
from postrmagic_core.validation.interface import FORMATS
from postrmagic_core.validation.messages import ENGLISH
from postrmagic_core.validation.multipart import PartLimits

GUIDE = (Path(__file__).parents[2] / "docs/how-to/accept-uploads.md").read_text(encoding="utf-8")
MIB = 1024 * 1024


def test_the_kinds_of_files_and_their_endings_are_those_of_the_code() -> None:
    """One row for each format, with the endings that fit it."""
    rows = dict(re.findall(r"^\| (\w+) \| ((?:`\.\w+`,? ?)+) \|$", GUIDE, re.MULTILINE))
    assert {name: tuple(re.findall(r"\.\w+", endings)) for name, endings in rows.items()} == {
        name: endings for name, (_, endings) in FORMATS.items()
    }
    assert set(rows) == set(ImagePolicy().formats)


def test_the_limits_are_those_of_the_code() -> None:
    """Of a file, of its pixels once unpacked, of frames and time; and of a form."""
    policy, parts = ImagePolicy(), PartLimits()
    assert ImageUpload().policy == policy
    assert (
        f"{policy.max_bytes // MIB} MiB, {policy.max_pixels:,} pixels, {policy.max_frames} frame and "
        f"{policy.timeout:.0f} seconds"
    ) in GUIDE
    assert (
        f"{parts.parts:,} parts, {parts.files} files, {parts.headers} headers of {parts.header_bytes:,} bytes each, "
        f"and {parts.bytes // MIB} MiB"
    ) in GUIDE


@pytest.mark.parametrize("code", sorted(code for code in ENGLISH if code.startswith(("upload.", "body."))))
def test_each_refusal_is_explained(code: str) -> None:
    """Every way in which a file or its form is refused has its row."""
    assert re.search(rf"^\|.*`{re.escape(code)}`.*\|.+\|$", GUIDE, re.MULTILINE)
