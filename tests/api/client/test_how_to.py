"""What the guide shows is what a client gives."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

from postrmagic_core.api.client import client_source
from tests.api.client.conftest import SPEC

GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "call-the-api-from-python.md"


def test_the_guide_shows_what_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library_url: str) -> None:
    """Its blocks run one after the other against a server, and each line with an arrow gives what stands behind it."""
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    line = re.compile(r"^( *)(\S.*)  # -> (.*)$", re.MULTILINE)
    code, shown = line.subn(lambda match: f"{match[1]}SHOWN.append((str({match[2]}), {match[3]!r}))", "\n".join(blocks))
    code = code.replace("https://library.example.org", library_url)
    closed = "\nclient.close()\nvisitor.close()\n"
    (tmp_path / "guide.py").write_text(f"SHOWN = []\n{code}{closed}", encoding="utf-8")
    (tmp_path / "library_client.py").write_text(client_source(SPEC), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        found = runpy.run_path(str(tmp_path / "guide.py"))["SHOWN"]
    finally:
        sys.modules.pop("library_client", None)
    assert len(found) == shown >= 12
    for given, told in found:
        assert given == told
