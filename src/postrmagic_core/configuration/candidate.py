"""Settings that a file would say, tried before it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from ..errors import SettingsError
from ..settings import Settings


def refusals(table: Mapping[str, Any]) -> dict[str, str]:
    """What an application would refuse of a file that says ``table``, were there no environment: by name, why."""

    class Candidate(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (InitSettingsSource(settings_cls, init_kwargs=dict(table)),)

    try:
        Candidate()
    except SettingsError as error:
        # A variable that is misspelt is told by its name, whatever the sources are.
        return {name: problem for name, problem in error.problems.items() if not name.startswith("POSTRMAGIC_")}
    return {}
