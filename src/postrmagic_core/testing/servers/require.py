"""What a test needs and this machine may lack: skipped on a laptop, a failure in CI."""

from __future__ import annotations

import os
from typing import Final, TypeVar

T = TypeVar("T")

REDIS_VARIABLE: Final = "POSTRMAGIC_TEST_REDIS_URL"
VALKEY_VARIABLE: Final = "POSTRMAGIC_TEST_VALKEY"
MARIADB_VARIABLE: Final = "POSTRMAGIC_TEST_MARIADB_URL"
MYSQL_VARIABLE: Final = "POSTRMAGIC_TEST_MYSQL_URL"
RABBITMQ_VARIABLE: Final = "POSTRMAGIC_TEST_RABBITMQ_URL"


def require(found: T | None, reason: str) -> T:
    """``found`` itself when it is there; otherwise skip the test, or fail it where ``CI=true``.

    ``require(shutil.which("strace"), "strace is not installed")``: a skipped proof proves nothing, so CI must have it.
    """
    import pytest

    if not found:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}; in CI nothing may be skipped")
        pytest.skip(reason)
    return found
