"""Session data as fields: a pydantic model's, or those of a free mapping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from .._codec import decode, encode
from ..errors import ConfigurationError, DecodeError, EncodeError

M = TypeVar("M")
B = TypeVar("B", bound=BaseModel)


class Shape(Protocol[M]):
    """How data of one type is made, taken apart and put together."""

    def fresh(self) -> M:
        """The data of a session that was never written."""
        ...

    def fields(self, data: M) -> dict[str, bytes]:
        """Each field's name and encoded value."""
        ...

    def restored(self, fields: Mapping[str, bytes]) -> M:
        """The data; :class:`DecodeError` if they do not fit the type."""
        ...


class FreeShape:
    """A ``dict`` with string keys and plain values."""

    def fresh(self) -> dict[str, Any]:
        """An empty one."""
        return {}

    def fields(self, data: dict[str, Any]) -> dict[str, bytes]:
        """See :meth:`Shape.fields`."""
        if not all(isinstance(name, str) for name in data):
            raise EncodeError("session data has strings for keys")
        return {name: encode(value) for name, value in data.items()}

    def restored(self, fields: Mapping[str, bytes]) -> dict[str, Any]:
        """See :meth:`Shape.restored`."""
        return {name: decode(value) for name, value in fields.items()}


class ModelShape(Generic[B]):
    """A pydantic model all of whose fields have defaults.

    Fields that another version of the model stored and this one does not know are left alone.
    """

    def __init__(self, model: type[B]) -> None:
        required = [name for name, field in model.model_fields.items() if field.is_required()]
        if required:
            raise ConfigurationError(
                f"{model.__name__} cannot be a new session's data: give {', '.join(required)} a default"
            )
        self._model = model

    def fresh(self) -> B:
        """One with its defaults."""
        return self._model()

    def fields(self, data: B) -> dict[str, bytes]:
        """See :meth:`Shape.fields`."""
        plain = data.model_dump(include=set(self._model.model_fields), by_alias=False, warnings="error")
        return {name: encode(value) for name, value in plain.items()}

    def restored(self, fields: Mapping[str, bytes]) -> B:
        """See :meth:`Shape.restored`."""
        known = {name: decode(value) for name, value in fields.items() if name in self._model.model_fields}
        try:
            return self._model.model_validate(known, by_name=True)
        except ValidationError as error:
            raise DecodeError(f"the session's data are not a {self._model.__name__}") from error


def shape_of(model: Any) -> Shape[Any]:
    """The shape of ``dict`` or of a pydantic model; :class:`ConfigurationError` for another type."""
    if model is dict:
        return FreeShape()
    if isinstance(model, type) and issubclass(model, BaseModel):
        return ModelShape(model)
    raise ConfigurationError(f"session data are a pydantic model or a dict, got {model!r}")
