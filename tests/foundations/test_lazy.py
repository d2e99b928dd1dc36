"""Names that a package gives without importing them: they come from their module when they are first asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package whose name `Manager` is in a module of its own, in a folder."""
    root = tmp_path / "lazy_shop"
    (root / "back").mkdir(parents=True)
    (root / "__init__.py").write_text(
        "from postrmagic_core._lazy import lazily\n__getattr__ = lazily(__name__, {'Manager': 'back.manager'})\n"
    )
    (root / "back" / "__init__.py").touch()
    (root / "back" / "manager.py").write_text("class Manager: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "lazy_shop"
    for name in [name for name in sys.modules if name.partition(".")[0] == "lazy_shop"]:
        del sys.modules[name]


def test_a_name_is_loaded_when_it_is_asked_for(shop: str) -> None:
    """Importing the package does not; afterwards it is what its module has, whichever way it is reached."""
    package = __import__(shop)
    assert f"{shop}.back.manager" not in sys.modules
    manager = package.Manager
    assert manager is sys.modules[f"{shop}.back.manager"].Manager
    assert package.Manager is manager


def test_another_name_is_told_as_a_module_tells_it(shop: str) -> None:
    """By the error that `hasattr` and `from … import` know."""
    package = __import__(shop)
    assert not hasattr(package, "Shelf")
    with pytest.raises(AttributeError, match="module 'lazy_shop' has no attribute 'Manger'"):
        _ = package.Manger
