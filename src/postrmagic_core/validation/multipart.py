"""A form with files (multipart/form-data, RFC 7578), read as it comes: texts into memory, files to disk.

python-multipart finds the parts; every decision about them is made here. What parsers are known to read differently is
refused: a preamble, a header or parameter given twice, an escaped quotation mark, ``filename*`` that differs from
``filename`` (RFC 7578, section 4.2, forbids it), encodings other than UTF-8.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from ..errors import ConfigurationError, MissingExtra, UsageError, ValidationFailed
from .images import FileField, FormFile, ImageUpload, PendingFile, ReceivedImage, RefusedFile
from .interface import InputLimits
from .messages import ENGLISH, Catalogue
from .policy import failed
from .uploads import ReceivedUpload, Receiving

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110, section 5.6.2
_KIND = re.compile(rf"[ \t]*({_TOKEN}(?:/{_TOKEN})?)[ \t]*")
# Linear: each step is decided by its next character.
_PARAMETER = re.compile(rf';[ \t]*({_TOKEN})=(?:"((?:[^"\\\x00-\x1f\x7f]|\\(?!"))*)"|({_TOKEN}))[ \t]*')
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]\Z")  # RFC 2046, section 5.1.1
_EXTENDED = re.compile(r"(?i)utf-8'[^']*'((?:[!#$&+.^_`|~0-9A-Za-z-]|%[0-9A-F]{2})*)\Z")  # RFC 8187, section 3.2
_AS_IT_IS = {"binary", "8bit", "7bit"}
_UTF_8 = {"utf-8", "us-ascii"}
_MIB = 1024 * 1024
# python-multipart logs what it stumbles over, which is a piece of the body.
_SILENT = logging.Logger("silent", level=logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class PartLimits:
    """What a form with files may cost beside the texts, which :class:`InputLimits` counts, and each file's own policy.

    ``parts`` of any kind; ``files`` that are kept; ``headers`` of a part and ``header_bytes`` of each; ``bytes``
    of the whole body.
    """

    parts: int = 1_000
    files: int = 20
    headers: int = 8
    header_bytes: int = 4_096
    bytes: int = 128 * _MIB

    def __post_init__(self) -> None:
        if min(self.parts, self.files, self.headers, self.header_bytes, self.bytes) < 1:
            raise ConfigurationError("PartLimits: parts, files, headers, header_bytes and bytes must be at least 1")


def parameters(value: str) -> tuple[str, dict[str, str]] | None:
    """A header's value and its parameters, names in lower case; ``None`` for wrong syntax or a name given twice."""
    begin = _KIND.match(value)
    if begin is None:
        return None
    found: dict[str, str] = {}
    at = begin.end()
    while at < len(value):
        parameter = _PARAMETER.match(value, at)
        if parameter is None or parameter[1].lower() in found:
            return None
        found[parameter[1].lower()] = parameter[3] if parameter[2] is None else parameter[2]
        at = parameter.end()
    return begin[1].lower(), found


def is_boundary(text: str) -> bool:
    """Whether ``text`` can separate parts: 1 to 70 characters, as RFC 2046 allows them."""
    return _BOUNDARY.match(text) is not None


class _Part(Protocol):
    """What becomes of a part's bytes."""

    def write(self, data: bytes) -> None: ...

    def end(self) -> object:
        """The value of the field, or ``None`` when nothing was sent."""
        ...


class FormReader:
    """Reads one form: :meth:`feed` what comes, then :meth:`end`, then :meth:`judge`; :meth:`abandon` when it fails.

    ``find`` says how a field takes files, which are received in ``directory``. No method is called by two threads at
    once. Raises :class:`ValidationFailed` for a broken limit and for a body that is none, alone; what is wrong with
    one file is told by the validator, at its field. :class:`MissingExtra` without python-multipart.
    """

    def __init__(
        self,
        boundary: str,
        find: Callable[[str], FileField | None],
        directory: Path | None,
        *,
        limits: InputLimits,
        parts: PartLimits,
        catalogue: Catalogue = ENGLISH,
    ) -> None:
        self._find = find
        self._fields: dict[str, FileField | None] = {}
        self._directory = directory
        self._limits = limits
        self._parts = parts
        self._catalogue = catalogue
        self._pairs: list[tuple[str, object]] = []
        self._kept: set[str] = set()
        self._held: list[_File | ReceivedUpload] = []
        self._total = self._count = self._texts = self._stored = 0
        self._headers: dict[bytes, bytes] = {}
        self._header, self._value = bytearray(), bytearray()
        self._name = ""
        self._part: _Part | None = None
        self._ended = False
        self._tokens, self._malformed = self._tokenizer(boundary)

    def feed(self, data: bytes) -> None:
        """Read the next bytes of the body, as many or few as came."""
        if not self._total and data and not data.startswith(b"-"):
            raise self.failed("body.malformed")
        self._total += len(data)
        if self._total > self._parts.bytes:
            raise self.failed("limit.bytes", self._parts.bytes)
        try:
            self._tokens.write(data)
        except self._malformed:
            raise self.failed("body.malformed") from None

    def end(self) -> None:
        """The body is over; raises :class:`ValidationFailed` (``body.truncated``) if the form is not."""
        if not self._ended:
            raise self.failed("body.truncated")

    def judge(self) -> list[tuple[str, object]]:
        """The (name, value) pairs for :meth:`Validator.validate_form`, every file looked at in its bounded process."""
        pairs: list[tuple[str, object]] = []
        for name, value in self._pairs:
            judged = value
            if isinstance(value, FormFile) and isinstance(value.file, PendingFile):
                image = value.file.wanted.accept(value.file)
                if isinstance(image, ReceivedImage):
                    self._held.append(image)
                judged = FormFile.of(image)
            pairs.append((name, judged))
        return pairs

    def abandon(self) -> None:
        """Remove every file that was received."""
        with ExitStack() as stack:  # one that cannot be removed keeps no other
            for held in self._held:
                stack.callback(held.discard)

    def charge(self, size: int) -> None:
        """Count ``size`` bytes of text."""
        self._texts += size
        if self._texts > self._limits.bytes:
            raise self.failed("limit.bytes", self._limits.bytes)

    def store(self, policy: ImageUpload) -> Receiving:
        """A new file."""
        self._stored += 1
        if self._stored > self._parts.files:
            raise self.failed("limit.files", self._parts.files)
        if self._directory is None:
            raise UsageError("a file came and there is no place for it: pass directory=")
        return Receiving(policy.policy, self._directory)

    def failed(self, code: str, limit: int = 0) -> ValidationFailed:
        """An error of the whole body."""
        return failed(code, limit=limit, catalogue=self._catalogue)

    def _tokenizer(self, boundary: str) -> tuple[Any, type[Exception]]:
        try:
            from python_multipart.exceptions import FormParserError
            from python_multipart.multipart import MultipartParser
        except ImportError:
            raise MissingExtra(
                "forms with files are read by python-multipart, which is not installed: "
                "pip install 'postrmagic-core[forms]'"
            ) from None
        tokens = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part,
                "on_header_begin": self._on_header,
                "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
            max_header_count=self._parts.headers,
            max_header_size=self._parts.header_bytes,
        )
        tokens.logger = _SILENT
        return tokens, FormParserError

    def _on_part(self) -> None:
        self._count += 1
        if self._count > min(self._parts.parts, self._limits.items):
            raise self.failed("limit.items", min(self._parts.parts, self._limits.items))
        self._headers = {}

    def _on_header(self) -> None:
        self._header, self._value = bytearray(), bytearray()

    def _on_header_end(self) -> None:
        name = bytes(self._header).lower()
        if name in self._headers:
            raise self.failed("body.malformed")
        self._headers[name] = bytes(self._value)

    def _on_headers_finished(self) -> None:
        said = self._said(b"content-disposition")
        kind, named = parameters(said) or ("", {})
        if kind != "form-data" or "name" not in named or any("*" in name for name in named.keys() - {"filename*"}):
            raise self.failed("body.malformed")
        if self._said(b"content-transfer-encoding", "binary").strip().lower() not in _AS_IT_IS:
            raise self.failed("body.malformed")
        if "filename*" in named and _extended(named["filename*"]) != named.get("filename"):
            raise self.failed("body.ambiguous")
        self._name = named["name"]
        self.charge(len(self._name))
        self._part = self._begun(named.get("filename"))

    def _begun(self, filename: str | None) -> _Part:
        if filename is None:
            return _Text(self, self._charset())
        field = self._field()
        if field is None:
            return _Unwanted(_NO_TEXT)
        if self._name in self._kept and not field.many:
            return _Unwanted(FormFile.of(RefusedFile("form.repeated")))
        self._kept.add(self._name)
        file = _File(self, field.image, filename)
        self._held.append(file)
        return file

    def _field(self) -> FileField | None:
        # A file where none is expected refuses the form: there is no need to ask for each of a thousand names.
        if self._name not in self._fields and len(self._fields) < 2 * self._parts.files:
            self._fields[self._name] = self._find(self._name)
        return self._fields.get(self._name)

    def _charset(self) -> str:
        kind = parameters(self._said(b"content-type", "text/plain"))
        if kind is None:
            raise self.failed("body.malformed")
        return kind[1].get("charset", "utf-8").lower()

    def _said(self, header: bytes, otherwise: str = "") -> str:
        try:
            return self._headers[header].decode() if header in self._headers else otherwise
        except UnicodeDecodeError:
            raise self.failed("form.encoding") from None

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._part is not None:
            self._part.write(data[start:end])

    def _on_part_end(self) -> None:
        if self._part is None:
            raise self.failed("body.malformed")
        value = self._part.end()
        if value is not None:
            self._pairs.append((self._name, value))
        self._part = None

    def _on_end(self) -> None:
        self._ended = True


_NO_TEXT = RefusedFile("form.text_expected")


class _Text:
    """A text field."""

    def __init__(self, reader: FormReader, charset: str) -> None:
        self._reader = reader
        self._charset = charset
        self._data = bytearray()

    def write(self, data: bytes) -> None:
        self._reader.charge(len(data))
        self._data += data

    def end(self) -> object:
        with suppress(UnicodeDecodeError):
            if self._charset in _UTF_8:
                return self._data.decode()
        raise self._reader.failed("form.encoding")


class _Unwanted:
    """A file where none is expected: its bytes go nowhere."""

    def __init__(self, value: object) -> None:
        self._value = value

    def write(self, data: bytes) -> None:
        pass

    def end(self) -> object:
        return self._value


class _File:
    """A file for a field that takes one. Refused, its rest is not kept, so that what else is wrong can be told."""

    def __init__(self, reader: FormReader, wanted: ImageUpload, name: str) -> None:
        self._reader = reader
        self._wanted = wanted
        self._name = name
        self._receiving: Receiving | None = None
        self._upload: ReceivedUpload | None = None
        self._refused: RefusedFile | None = None

    def write(self, data: bytes) -> None:
        if self._refused is not None:
            return
        if self._receiving is None:
            self._receiving = self._reader.store(self._wanted)
        try:
            self._receiving.write(data)
        except ValidationFailed as error:
            self._refused = self._wanted.refused(error.errors[0]["code"])
            self.discard()

    def end(self) -> object:
        if self._refused is not None:
            return FormFile.of(self._refused)
        if self._receiving is None:  # a browser sends an input without a file as a part without name and content
            return FormFile.of(self._wanted.refused("upload.empty")) if self._name else None
        self._upload = self._receiving.finish()
        return FormFile.of(PendingFile(self._upload, self._name, self._wanted))

    def discard(self) -> None:
        """Remove what was received."""
        if self._receiving is not None:
            self._receiving.abandon()
        if self._upload is not None:
            self._upload.discard()


def _extended(value: str) -> str | None:
    found = _EXTENDED.match(value)
    if found is None:
        return None
    with suppress(UnicodeDecodeError):
        return unquote_to_bytes(found[1]).decode()
    return None
