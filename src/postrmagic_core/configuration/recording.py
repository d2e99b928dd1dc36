"""The settings that a process begins with become a version, or are found to be one."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic.fields import FieldInfo

from .._clock import Clock, SystemClock, from_us
from .._crypto import KeyRing
from ..errors import BackendError, ConfigurationError
from ..settings import Settings
from .files import VersionFiles
from .interface import Field, Fields, Source, Version
from .masking import Masker
from .sources import Sources, read_sources, rooms
from .written import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = "settings"
_log = logging.getLogger("postrmagic_core.configuration")


def record(settings: Settings, *, by: str | None = None, clock: Clock | None = None) -> int | None:
    """Note that a process of the kind ``by`` begins with these settings; left out, the name of its program.

    Returns the version's number. Where it cannot be noted, a warning is logged and the answer is ``None``: the
    application begins all the same.
    """
    kind = by or program(sys.argv)
    at = from_us((clock or SystemClock()).now_us())
    try:
        masker = Masker(_ring(settings))
        fields = masked({f"{room}.{name}": value for room, values in settings for name, value in values}, masker)
        files = VersionFiles(settings.stack.data_dir / FOLDER)
        kept, new = files.see(version_of(fields, masker, at), kind)
    except Exception as error:  # whatever it is, the application begins; its words may have a value in them
        known = error.strerror if isinstance(error, OSError) else isinstance(error, BackendError) and str(error)
        reason = known or "unexpected"
        _log.warning("settings not recorded", extra={"error": type(error).__name__, "reason": reason})
        return None
    if new:
        _log.info("settings recorded", extra={"version": kept.number, "by": kind})
    return kept.number


def _ring(settings: Settings) -> KeyRing | None:
    try:
        return settings.key_ring()
    except ConfigurationError:
        return None


def program(arguments: Sequence[str]) -> str:
    """What a process is called after: its program, or the command of ``postrmagic`` that it runs."""
    path = Path(arguments[0] if arguments else "")
    name = path.parent.name if path.name == "__main__.py" else path.stem
    if path.parts[-3:] == ("postrmagic_core", "jobs", "process.py"):  # what a worker has its processes run
        return "worker"
    if name == "postrmagic" or path.parts[-3:-1] == ("postrmagic_core", "cli"):
        return next((word for word in arguments[1:2] if word.isalpha()), "postrmagic")
    return name.strip("-") or "process"


def version_of(fields: Fields, masker: Masker, at: datetime) -> Version:
    """The version that these settings are, without what its file adds: number, and this package's version."""
    return Version(
        number=0,
        fingerprint=fingerprint(fields),
        first_seen=at,
        last_seen=at,
        release=str(fields["stack.release"].value) if "stack.release" in fields else "",
        package="",
        keys=masker.keys,
        fields=fields,
    )


def masked(values: dict[str, Any], masker: Masker, sources: Sources | None = None) -> Fields:
    """The values of settings without secrets, each with where it is from."""
    told = read_sources() if sources is None else sources
    known = {f"{room}.{last}": one for room, model in rooms() for last, one in model.model_fields.items()}
    fields = {}
    for name, value in values.items():
        place = told.place(name)
        fields[name] = Field(
            masker.field(name, value, hidden=place == "secret"), place or _otherwise(value, known[name])
        )
    return fields


def _otherwise(value: object, told: FieldInfo) -> Source:
    """Where a value is from that neither the environment nor the file has."""
    if value is told.default:
        return "default"
    # Asked of pydantic, each call of a factory costs more than all else that is done for a field.
    made = told.default if told.default_factory is None else cast("Callable[[], object]", told.default_factory)()
    return "default" if value == made else "code"
