"""The base of input models, and the error a validator raises."""

from __future__ import annotations

from typing import LiteralString

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from ..errors import UsageError


class Input(BaseModel):
    """What comes from outside: immutable, unknown fields refused, nothing converted silently, no NaN or infinity.

    Strict means that ``"1"`` is no integer; JSON's own texts for dates, UUIDs and decimals are read (pydantic, *strict
    mode*). Forms, where everything is text, are read by :meth:`Validator.validate_form`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


def invalid(code: LiteralString, message: LiteralString) -> PydanticCustomError:
    """The error to raise in a validator: ``raise invalid("password.mismatch", "the passwords differ")``.

    ``code`` is stable, for programs, and has a dot, which sets it apart from pydantic's. ``message`` is shown to
    whoever sent the input; both are constant text, as their type says. The text of a plain :class:`ValueError` is not
    shown, as it commonly quotes the value. Raises :class:`UsageError` for a code without a dot.
    """
    if "." not in code:
        raise UsageError(f"the code of a rule has a dot, such as 'password.mismatch'; got {code!r}")
    return PydanticCustomError(code, message)
