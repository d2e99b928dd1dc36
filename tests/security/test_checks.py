"""What all parts of security ask of their arguments."""

from __future__ import annotations

from typing import Any

import pytest

from postrmagic_core.security.checks import check_user, lifetime_us


@pytest.mark.parametrize(
    ("user_id", "got"),
    [
        (1, "int"),
        (b"1", "bytes"),
        (None, "NoneType"),
        (True, "bool"),
        ("", "0 bytes"),
        ("x" * 191, "191 bytes"),
        ("é" * 96, "192 bytes"),
        ("\ud800", "what cannot be written as UTF-8"),
    ],
)
def test_a_user_is_named_by_a_short_text(user_id: Any, got: str) -> None:
    """A number would match other users' texts on MySQL; what does not fit would be cut or refused there."""
    with pytest.raises(ValueError, match=f"^expected as user_id a text of 1 to 190 bytes, got {got}$"):
        check_user(user_id)
    assert check_user("x" * 190) == "x" * 190


@pytest.mark.parametrize("lifetime", [0, -1.0, 86_400.1, float("inf"), float("nan"), 1e300], ids=repr)
def test_no_token_lives_for_ever(lifetime: float) -> None:
    """Nor for no time at all."""
    with pytest.raises(ValueError, match="at most 86400 seconds"):
        lifetime_us(lifetime, 86_400.0)
    assert lifetime_us(86_400.0, 86_400.0) == 86_400_000_000
    assert lifetime_us(1e-9, 86_400.0) == 1
