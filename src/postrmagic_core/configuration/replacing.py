"""A file replaced as a whole, its text until then kept beside it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from ..errors import ConfigurationError


def replace_file(path: Path, before: str | None, after: str) -> None:
    """Have the file say ``after``, and ``<name>.old`` what it said, which must be ``before``.

    Its mode and owner stay; a new file is for its owner alone. A symbolic link stays one, and what it leads to is
    replaced. Interrupted anywhere, the file is the old or the new one. :class:`ConfigurationError` where it is neither
    or cannot be written.
    """
    path = path.resolve()
    try:
        status = path.stat() if before is not None else None
        if before is not None and path.read_bytes() != before.encode(errors="surrogateescape"):
            raise ConfigurationError(f"{path} was changed meanwhile: look at what would be done again")
        if before is None and path.exists():
            raise ConfigurationError(f"{path} was made meanwhile: look at what would be done again")
        if before is not None:
            _write(path.with_name(f"{path.name}.old"), before, status)
        _write(path, after, status)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}; it is as it was") from error


def _write(path: Path, text: str, like: os.stat_result | None) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text.encode(errors="surrogateescape"))
            if like is not None:
                with contextlib.suppress(PermissionError):  # of another owner, and this is not root
                    os.fchown(file.fileno(), like.st_uid, like.st_gid)
                os.fchmod(file.fileno(), like.st_mode & 0o777)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
