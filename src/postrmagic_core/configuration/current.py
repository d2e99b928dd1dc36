"""The settings as they are now: whole where they are right, and as far as they go where they are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from .._crypto import KeyRing
from ..errors import ConfigurationError, SettingsError
from ..settings import Settings
from .interface import Fields
from .masking import Masker
from .recording import FOLDER, masked
from .sources import Effective, Sources, effective, read_sources


@dataclass(frozen=True, slots=True)
class Present:
    """The present settings.

    ``fields`` are those that hold, and ``problems`` say what is wrong with the others, as :class:`SettingsError` does.
    ``directory`` is where their versions are kept, and ``masker`` compares secrets with those of versions.
    """

    fields: Fields
    problems: Mapping[str, str]
    directory: Path
    masker: Masker
    sources: Sources


def present(*, path: Path | None = None, data_dir: Path | None = None) -> Present:
    """The settings by the environment and the file, or ``path`` in the file's place; wrong ones raise nothing.

    ``data_dir`` is where versions and the generated key are looked for; left out, where the settings say.
    """
    sources = read_sources(path)
    found = _loaded(sources) if path is None else effective(sources)
    home = data_dir or Path(found.values.get("stack.data_dir", "var"))
    masker = Masker(ring(found.values, home))
    return Present(masked(found.values, masker, sources), found.problems, home / FOLDER, masker, sources)


def _loaded(sources: Sources) -> Effective:
    """What an application would begin with; if it would not begin, field by field, with all that keeps it from it."""
    try:
        settings = Settings()
    except SettingsError as error:
        found = effective(sources)
        return Effective(found.values, {**error.problems, **found.problems})
    except (ValueError, OSError):  # a file that is no TOML, a variable that is no JSON: what is wrong is found below
        return effective(sources)
    return Effective({f"{room}.{name}": value for room, values in settings for name, value in values})


def ring(values: Mapping[str, Any], home: Path) -> KeyRing | None:
    """The keys of these settings; ``None`` where there are none, or they are refused. No key is made here."""
    keys = [key.get_secret_value() for key in values.get("security.keys", ()) if isinstance(key, SecretStr)]
    try:
        if not keys and values.get("stack.environment") != "production":
            keys = [(home / "secret.key").read_text().strip()]
        return KeyRing(keys) if keys else None
    except (ConfigurationError, OSError, UnicodeDecodeError):
        return None
