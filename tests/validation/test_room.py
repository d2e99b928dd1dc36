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
        _ = validation.Nothing  # type: ignore[attr-defined]  # what is not there is the test


# In this order, as each comes on top of those before: what is imported, and what none of it has loaded by then.
IMPORTS = {
    "postrmagic_core.validation": {"PIL", "nh3", "asyncio", "sqlalchemy", "ssl", "http"},
    "postrmagic_core.validation.database_rules": {"PIL", "nh3", "asyncio", "sqlalchemy", "ssl", "http"},
    "postrmagic_core.validation.rules.named": {"PIL", "asyncio", "sqlalchemy", "ssl", "http"},
}


def test_importing_it_loads_only_what_it_needs() -> None:
    """No Pillow, sanitizer, asyncio or database library, before something asks for it."""
    lines = [f"import {module}; print(sorted({heavy} & set(sys.modules)))" for module, heavy in IMPORTS.items()]
    asked = "postrmagic_core.validation.AsyncUploads; print('asyncio' in sys.modules)"
    program = "\n".join(["import sys", *lines, asked])
    output = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True).stdout
    assert output.split("\n")[:4] == ["[]", "[]", "[]", "True"]
