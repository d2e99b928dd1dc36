"""The settings and the application of whoever is looked at, however wrong they are."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from ..._clock import Clock
from ...configuration.sources import Effective, Sources, effective, read_sources, rooms
from ...errors import SettingsError
from ...settings import Settings
from ..application import loaded
from .interface import Patient

# Bytes. The parser of TOML takes seconds for each further megabyte, and nobody writes so many settings.
LARGEST = 1024**2


def settings_path() -> Path:
    """The file that is read."""
    return Path(os.environ.get("POSTRMAGIC_CONFIG") or "postrmagic.toml")


def refusal(path: Path) -> str | None:
    """Why the settings' file is not even opened; it may be missing."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"it cannot be looked at: {error.strerror}"
    if stat.S_ISDIR(found.st_mode):
        return "it is a directory, and no file of settings"
    if not stat.S_ISREG(found.st_mode):
        return "it is no regular file"
    if found.st_size > LARGEST:
        return f"it has {found.st_size // 1024**2} MiB: that is no file of settings"
    return None


def read(clock: Clock) -> Patient:
    """The settings by the environment and the file, as far as they go. Raises nothing on their account."""
    path = settings_path()
    refused = refusal(path)
    sources = read_sources(Path(os.devnull) if refused else path)
    found = effective(sources) if refused else _loaded(sources)
    problems = {**({str(path): refused} if refused else {}), **found.problems}
    return Patient(constructed(found), sources, clock, problems)


def with_application(patient: Patient, app: str) -> Patient:
    """The same with the Stack that ``module:name`` names, and its settings."""
    stack = loaded(app)
    return Patient(stack.settings, patient.sources, patient.clock, patient.problems, app, stack)


def _loaded(sources: Sources) -> Effective:
    try:
        settings = Settings()
    except SettingsError as error:
        found = effective(sources)
        return Effective(found.values, {**error.problems, **found.problems})
    except (ValueError, OSError):  # what is wrong is found field by field
        return effective(sources)
    return Effective({f"{room}.{name}": value for room, values in settings for name, value in values})


def constructed(found: Effective) -> Settings:
    """Settings of what holds; what is refused has its default."""
    made: dict[str, Any] = {}
    for room, model in rooms():
        given = {name: found.values[key] for name in model.model_fields if (key := f"{room}.{name}") in found.values}
        made[room] = model.model_construct(**given)
    return Settings.model_construct(**made)
