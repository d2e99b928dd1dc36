"""Where backups are kept: whole files by name, written once."""

from __future__ import annotations

from postrmagic_core.registry import VAULTS, Registry

from ..interface import Vault

__all__ = ["open_vault"]


def open_vault(url: str, *, registry: Registry | None = None) -> Vault:
    """The vault that ``url`` names: ``file:///absolute/directory``, or one of an installed package's.

    Nothing is read or written yet. Raises what :meth:`Registry.load` raises, and :class:`ConfigurationError` for a URL
    that its vault does not understand.
    """
    vault: Vault = (registry or Registry()).load(VAULTS, url).from_url(url)
    return vault
