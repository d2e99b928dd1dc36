"""Session data as fields: a pydantic model's, or those of a free mapping, of a version that can be migrated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from .._codec import decode, encode
from ..errors import ConfigurationError, DecodeError, EncodeError

M = TypeVar("M")
B = TypeVar("B", bound=BaseModel)

Migrate: TypeAlias = Callable[[int, dict[str, Any]], Mapping[str, Any]]

# Fields whose names begin so are the package's: flash messages.
OWN = "\x00"


class Shape(Protocol[M]):
    """How data of one type is made, taken apart and put together.

    ``fits_always``: whatever was stored is data of the type, so that there is no need to look before it is used.
    """

    fits_always: ClassVar[bool]

    def fresh(self) -> M:
        """The data of a session that was never written."""
        ...

    def image(self, data: M) -> bytes:
        """All of the data: equal images are equal data."""
        ...

    def fields(self, data: M) -> dict[str, bytes]:
        """Each field's name and encoded value."""
        ...

    def restored(self, plain: dict[str, Any]) -> M:
        """The data; :class:`DecodeError` if they do not fit the type."""
        ...


class FreeShape:
    """A ``dict`` with string keys and plain values."""

    fits_always: ClassVar[bool] = True

    def fresh(self) -> dict[str, Any]:
        """An empty one."""
        return {}

    def image(self, data: dict[str, Any]) -> bytes:
        """See :meth:`Shape.image`."""
        return encode(data)

    def fields(self, data: dict[str, Any]) -> dict[str, bytes]:
        """See :meth:`Shape.fields`."""
        if not all(_is_free(name) for name in data):
            raise EncodeError("expected session data whose keys are strings that do not begin with NUL")
        return {name: encode(value) for name, value in data.items()}

    def restored(self, plain: dict[str, Any]) -> dict[str, Any]:
        """See :meth:`Shape.restored`."""
        return plain


def _is_free(name: object) -> bool:
    return isinstance(name, str) and not name.startswith(OWN)


class ModelShape(Generic[B]):
    """A pydantic model all of whose fields have defaults.

    Fields that another version of the model stored and this one does not know are left alone.
    """

    fits_always: ClassVar[bool] = False

    def __init__(self, model: type[B]) -> None:
        required = [name for name, field in model.model_fields.items() if field.is_required()]
        if required:
            raise ConfigurationError(
                f"{model.__name__} cannot be a new session's data: give {', '.join(required)} a default"
            )
        self._model = model
        self._names = frozenset(model.model_fields)
        self._included = set(self._names)

    def fresh(self) -> B:
        """One with its defaults."""
        return self._model()

    def image(self, data: B) -> bytes:
        """See :meth:`Shape.image`."""
        return encode(self._dumped(data))

    def fields(self, data: B) -> dict[str, bytes]:
        """See :meth:`Shape.fields`."""
        return {name: encode(value) for name, value in self._dumped(data).items()}

    def _dumped(self, data: B) -> dict[str, Any]:
        return data.model_dump(include=self._included, by_alias=False, warnings="error")

    def restored(self, plain: dict[str, Any]) -> B:
        """See :meth:`Shape.restored`."""
        known = {name: value for name, value in plain.items() if name in self._names}
        try:
            return self._model.model_validate(known, by_name=True)
        except ValidationError as error:
            raise DecodeError(f"the session's data are not a {self._model.__name__}") from error


class Content(Generic[M]):
    """The data of one session: made when first asked for, and compared with what was stored when they are saved.

    ``before`` gives the fields as they are stored, or would be. It is asked only where something changed, since an
    image of the whole says whether anything did.
    """

    __slots__ = ("_before", "_data", "_image", "_is_made", "_make", "_shape")

    def __init__(self, shape: Shape[M], make: Callable[[], M], before: Callable[[], Mapping[str, bytes]]) -> None:
        self._shape = shape
        self._make = make
        self._before = before
        self._is_made = False
        self._image: bytes | None = None

    @property
    def data(self) -> M:
        """The data, to be changed in place."""
        if not self._is_made:
            self._data = self._make()
            self._image = self._shape.image(self._data)
            self._is_made = True
        return self._data

    @data.setter
    def data(self, data: M) -> None:
        self._data = data
        self._is_made = True

    @property
    def is_same(self) -> bool:
        """Whether the data are as they were; without an image of how they were, their fields tell."""
        return not self._is_made or (self._image is not None and self._shape.image(self._data) == self._image)

    def fields(self) -> dict[str, bytes]:
        """The fields as they are now."""
        return self._shape.fields(self.data)

    def before(self) -> Mapping[str, bytes]:
        """The fields as they were."""
        return self._before()

    def stored(self, fields: Mapping[str, bytes]) -> None:
        """As they are now, in ``fields``, they are in the store."""
        self._image = None
        self._before = lambda: fields


class Format(Generic[M]):
    """Data of one version: a shape, and the function that makes data of an earlier one into this.

    ``migrate(version, data)`` gets the plain values of that version by name and returns this version's. Data of a later
    version, as another release has written them, are read as they are: a release must do with the data of the next.
    """

    def __init__(self, model: Any, version: int, migrate: Migrate | None) -> None:
        if version < 1:
            raise ConfigurationError(f"expected a version of 1 or more, got {version}")
        if version > 1 and migrate is None:
            raise ConfigurationError("a version above 1 needs migrate=, which makes data of the earlier ones into it")
        self.version = version
        self._migrate = migrate
        self._shape: Shape[M] = shape_of(model)

    def begun(self) -> Content[M]:
        """The data of a session that was never written."""
        shape = self._shape
        return Content(shape, shape.fresh, lambda: shape.fields(shape.fresh()))

    def restored(self, fields: Mapping[str, bytes], version: int) -> Content[M]:
        """The data that are stored in ``fields``; :class:`DecodeError` if they do not fit.

        Data that were migrated are compared with what is stored: so all that the migration changed is saved.
        """
        shape = self._shape

        def make() -> M:  # again where it is needed: the data are the application's to change in place
            return shape.restored(_plain(fields))

        if version >= self.version or self._migrate is None:
            content = Content(shape, make, lambda: shape.fields(make()))
            if not shape.fits_always:
                _ = content.data
            return content
        try:
            migrated = dict(self._migrate(version, _plain(fields)))
        except Exception as error:
            raise DecodeError(f"the session's data could not be migrated from version {version}") from error
        stored = {name: value for name, value in fields.items() if not name.startswith(OWN)}
        content = Content(shape, make, lambda: stored)
        content.data = shape.restored(migrated)
        return content


def _plain(fields: Mapping[str, bytes]) -> dict[str, Any]:
    return {name: decode(value) for name, value in fields.items() if name[:1] != OWN}


def shape_of(model: Any) -> Shape[Any]:
    """The shape of ``dict`` or of a pydantic model; :class:`ConfigurationError` for another type."""
    if model is dict:
        return FreeShape()
    if isinstance(model, type) and issubclass(model, BaseModel):
        return ModelShape(model)
    raise ConfigurationError(f"session data are a pydantic model or a dict, got {model!r}")
