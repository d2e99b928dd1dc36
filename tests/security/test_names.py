"""What `postrmagic_core.security` gives: the names an application begins with, each loaded when it is asked for."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

from postrmagic_core import security


def test_each_name_is_that_of_its_part() -> None:
    """The front door gives the very objects that the parts have."""
    parts = [import_module(f"postrmagic_core.security.{name}") for name in ("access", "access_tokens", "factors")]
    parts += [import_module(f"postrmagic_core.security.{name}") for name in ("logins", "manager", "passwords")]
    for name in security.__all__:
        assert getattr(security, name) in [getattr(part, name, None) for part in parts], name


def test_a_name_loads_its_part_alone() -> None:
    """The room itself loads no SQLAlchemy; the rules of passwords load none either."""
    code = (
        "import sys; from postrmagic_core.security import Passwords;"
        "assert not {'sqlalchemy', 'postrmagic_core.security.access'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
