"""A field that is an uploaded image: ``poster: Annotated[ReceivedImage, ImageUpload(max_bytes=5_000_000)]``.

What reaches the model was counted while it came, recognised by its first bytes, decoded whole in a bounded process,
written anew from its pixels and scanned: in that order, and never by the name or the type that the client gave.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ..errors import BackendUnavailable, ConfigurationError, PostrMagicError, ValidationFailed, translating
from ._decoder_process import pour
from .interface import FORMATS, ImagePolicy
from .model import invalid
from .policy import failed
from .text import display_name
from .uploads import WIDEST, ReceivedUpload, Receiving, check_name, inspect, opened, recognised, storage_error

Scan: TypeAlias = Callable[[Path], bool]
"""Looks at a file before anybody gets it: ``True`` means that it is clean."""

_GROWTH = 4  # a picture that was saved at a low quality is written anew at a better one
_ROOM = 65_536


class ReceivedImage(ReceivedUpload):
    """An image that was accepted, and is nobody's yet: :meth:`move_to` its place, or :meth:`discard` it.

    ``path``, ``size`` and ``sha256`` are those of the file as it is now, ``width`` and ``height`` its pixels, ``mime``
    its media type. ``name`` is the client's file name, made fit to be shown (:func:`.text.display_name`): no path. As a
    context manager it discards on leaving what was not moved.
    """

    width: int
    height: int
    mime: str
    name: str

    def __init__(self, upload: ReceivedUpload, *, width: int, height: int, mime: str, name: str) -> None:
        super().__init__(upload.path, upload.size, upload.sha256)
        self.width = width
        self.height = height
        self.mime = mime
        self.name = name
        self._kept = False

    def move_to(self, path: Path | str) -> Path:
        """Put the file at ``path``, in one step and instead of what is there; it is then the caller's, and on disk.

        Name the place by ``sha256`` or an id of your own, in the file system it was received in. Raises
        :class:`BackendRejected`, :class:`OutOfSpace` or :class:`BackendUnavailable`; ``path`` then says where it is.
        """
        target = Path(path)
        with translating(storage_error):
            self.path.replace(target)
            self.path, self._kept = target, True
            directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        return target

    def discard(self) -> None:
        """Remove the file, unless it was moved to its place."""
        if not self._kept:
            super().discard()

    def __repr__(self) -> str:
        return f"ReceivedImage({self.mime}, {self.width} x {self.height}, {self.size} bytes)"


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file that was not accepted: the code says why, ``context`` is what its text names."""

    code: str
    context: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class _Question:
    """No file: it asks which ``image`` its field takes."""

    image: ImageUpload | None = None


@dataclass(frozen=True, slots=True)
class PendingFile:
    """A file that was received and not looked at yet; ``name`` as the client gave it, ``wanted`` by its field."""

    upload: ReceivedUpload
    name: str
    wanted: ImageUpload


class FormFile(str):
    """A file among the texts of a form: an empty text that carries it to its field, which alone looks for one."""

    __slots__ = ("file",)

    file: ReceivedImage | RefusedFile | PendingFile | _Question

    @classmethod
    def of(cls, file: ReceivedImage | RefusedFile | PendingFile | _Question) -> FormFile:
        """The text that carries ``file``."""
        carrier = cls()
        carrier.file = file
        return carrier


@dataclass(frozen=True, slots=True)
class ImageUpload:
    """Which images a field takes, and what becomes of them.

    ``policy`` says everything about what is accepted; ``max_pixels`` (width times height), ``max_bytes`` and
    ``formats`` change one thing of it. ``reencode``: the file is written anew from its pixels: upright, in sRGB, the
    first frame, at most 8,192 pixels a side, without metadata, in ``format`` (the one that came, if ``None``) at
    ``quality``; it may become four times as large as ``max_bytes``. Without it the file stays as it came: whatever
    hides in a comment stays too. ``scan`` gets the path of the file that would be given out, in the thread that reads
    the form; anything but ``True`` refuses the file, an exception fails the request, and in both cases the file is
    removed.

    Raises :class:`ConfigurationError` for limits that cannot be, and on a field of another type.
    """

    policy: ImagePolicy = ImagePolicy()  # noqa: RUF009 - frozen
    max_pixels: int | None = None
    max_bytes: int | None = None
    formats: tuple[str, ...] | None = None
    reencode: bool = True
    format: Literal["WEBP", "JPEG", "PNG"] | None = None
    quality: int = 85
    scan: Scan | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100 or self.format not in {None, *FORMATS}:
            raise ConfigurationError(f"ImageUpload: quality 1..100 and format {'/'.join(FORMATS)} expected")
        given = {"max_pixels": self.max_pixels, "max_bytes": self.max_bytes, "formats": self.formats}
        changed = {name: value for name, value in given.items() if value is not None}
        if self.formats is not None:
            changed["formats"] = tuple(self.formats)
        object.__setattr__(self, "policy", replace(self.policy, **cast("Any", changed)))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The rule as pydantic runs it."""
        if source is not ReceivedImage:
            raise ConfigurationError(
                "ImageUpload describes a ReceivedImage: Annotated[ReceivedImage, ImageUpload()], `| None` behind it"
            )
        return core_schema.no_info_plain_validator_function(self._given)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A file, as OpenAPI 3.0 says it."""
        return {"type": "string", "format": "binary"}

    def _given(self, value: object) -> ReceivedImage:
        found = value.file if isinstance(value, FormFile) else value
        if isinstance(found, RefusedFile):
            # The type asks for a literal text: the codes are those of messages.ENGLISH.
            raise PydanticCustomError(cast("Any", found.code), "not acceptable", dict(found.context))
        if isinstance(found, ReceivedImage):
            return found
        if isinstance(found, _Question):
            found.image = self
        raise invalid("upload.file_expected", "must be a file")

    def accept(self, pending: PendingFile) -> ReceivedImage | RefusedFile:
        """The image that ``pending`` is, or why it is none; whatever happens, no other file stays beside it.

        Raises what is not the file's fault: :class:`OutOfSpace`, :class:`BackendUnavailable` (also when ``scan`` fails
        with an exception of its own), :class:`MissingExtra` without Pillow.
        """
        image = None
        try:
            image = self._rewritten(pending) if self.reencode else self._as_it_came(pending)
            return image if self._clean(image) else self.refused("upload.scan")
        except ValidationFailed as refused:
            return self.refused(refused.errors[0]["code"])
        finally:
            if image is None or image.path != pending.upload.path:
                pending.upload.discard()

    def _clean(self, image: ReceivedImage) -> bool:
        clean = False
        try:
            clean = self.scan is None or self.scan(image.path) is True
        except PostrMagicError:
            raise
        except Exception as error:
            raise BackendUnavailable("the scan of an upload failed: see that the scanner works") from error
        finally:
            if not clean:
                image.discard()
        return clean

    def refused(self, code: str) -> RefusedFile:
        """The refusal of a file by this policy, with the limit that ``code`` tells."""
        policy = self.policy
        limits = {"upload.too_many_pixels": policy.max_pixels, "upload.animated": policy.max_frames}
        return RefusedFile(code, {"limit": limits.get(code, policy.max_bytes), "formats": ", ".join(policy.formats)})

    def _as_it_came(self, pending: PendingFile) -> ReceivedImage:
        info = inspect(pending.upload.path, self.policy, name=pending.name)
        name = display_name(pending.name)
        return ReceivedImage(pending.upload, width=info.width, height=info.height, mime=info.mime, name=name)

    def _rewritten(self, pending: PendingFile) -> ReceivedImage:
        policy = replace(self.policy, max_bytes=_GROWTH * self.policy.max_bytes + _ROOM)
        with opened(pending.upload.path, self.policy) as (file, _):
            kind = recognised(file, self.policy)
            check_name(kind, pending.name, self.policy)
            output = self.format or kind
            question = {"output": output, "width": WIDEST, "height": WIDEST, "quality": self.quality, "whole": True}
            receiving = Receiving(policy, pending.upload.path.parent)
            try:
                found = pour(file, kind, self.policy, question, receiving.write)
                made = receiving.finish()
            except BaseException:
                receiving.abandon()
                raise
        if made.size != found["size"]:
            made.discard()
            raise failed("upload.corrupt")
        width, height, mime = found["width"], found["height"], FORMATS[output][0]
        return ReceivedImage(made, width=width, height=height, mime=mime, name=display_name(pending.name))


@dataclass(frozen=True, slots=True)
class FileField:
    """A field of a form that takes files: one or ``many``."""

    image: ImageUpload
    many: bool


def file_field(validate: Callable[[list[tuple[str, object]]], object], name: str) -> FileField | None:
    """How the field ``name`` of a form takes files; ``None``: it takes none.

    ``validate`` is given a form of this one file, which nothing accepts: whoever would judge it says so. So it does not
    matter how the field is declared, or by whom.
    """
    question = _Question()
    try:
        validate([(name, FormFile.of(question))])
    except ValidationFailed as failure:
        at = [error["pointer"] for error in failure.errors if error["code"] == "upload.file_expected"]
    else:
        return None
    return None if question.image is None else FileField(question.image, at[:1] != [] and at[0].count("/") == 2)
