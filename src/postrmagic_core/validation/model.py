"""The base of input models, and the error a validator raises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, LiteralString, Unpack

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError

from ..errors import UsageError
from .between_fields import Gate, ModelRule, joined


class Input(BaseModel):
    """What comes from outside: immutable, unknown fields refused, nothing converted silently, no NaN or infinity.

    Strict means that ``"1"`` is no integer; JSON's own texts for dates, UUIDs and decimals are read (pydantic, *strict
    mode*). Forms, where everything is text, are read by :meth:`Validator.validate_form`.

    Rules between fields (:mod:`.together`) stand on the field that gets the error; those on the whole are given to the
    class: ``class Login(Input, together=[ExactlyOneOf("code", "recovery_code")])``. They see every field that passed,
    also when others failed. Raises :class:`ConfigurationError` at its creation for a rule that names no field of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)
    __together__: ClassVar[tuple[ModelRule | Gate, ...]] = ()

    def __init_subclass__(cls, *, together: Sequence[ModelRule | Gate] = (), **config: Unpack[ConfigDict]) -> None:
        super().__init_subclass__(**config)
        cls.__together__ = (*cls.__together__, *together)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler, /) -> CoreSchema:
        """Pydantic's schema of the model, with the rules between its fields."""
        return joined(cls, source, handler)


def invalid(code: LiteralString, message: LiteralString, **numbers: int) -> PydanticCustomError:
    """The error to raise in a validator: ``raise invalid("password.mismatch", "the passwords differ")``.

    ``code`` is stable, for programs, and has a dot, which sets it apart from pydantic's. ``message`` is shown to
    whoever sent the input; both are constant text, as their type says. ``numbers`` take the place of their names in
    braces, in the message and in a catalogue's: ``invalid("seats.left", "only {left} are free", left=3)``. The text of
    a plain :class:`ValueError` is not shown, as it commonly quotes the value. Raises :class:`UsageError` for a code
    without a dot.
    """
    if "." not in code:
        raise UsageError(f"the code of a rule has a dot, such as 'password.mismatch'; got {code!r}")
    return PydanticCustomError(code, message, dict(numbers) or None)
