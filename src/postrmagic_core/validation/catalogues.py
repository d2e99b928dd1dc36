"""Which languages errors can be told in: English, those that come with the package, and the application's own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from ..errors import ConfigurationError
from .messages import ENGLISH, Catalogue

# Read when first asked for: most processes speak one language.
_SHIPPED = {"de": ("postrmagic_core.validation.messages_de", "GERMAN")}


class Catalogues:
    """The catalogues of one validator by locale; an ``own`` one stands in place of a shipped one of its locale."""

    def __init__(self, own: Mapping[str, Catalogue] | None, default: str) -> None:
        self._own: dict[str, Catalogue] = {"en": ENGLISH, **(own or {})}
        known = sorted({*self._own, *_SHIPPED})
        self.locales = tuple(sorted(known, key=lambda locale: locale != default))

    def of(self, locale: str) -> Catalogue:
        """The texts of ``locale``; raises :class:`ConfigurationError`, which names those there are, for another."""
        found = self._own.get(locale)
        if found is not None:
            return found
        if locale not in _SHIPPED:
            raise ConfigurationError(f"no messages for locale {locale!r}; known: {', '.join(sorted(self.locales))}")
        return _shipped(locale)


@cache
def _shipped(locale: str) -> Catalogue:
    module, name = _SHIPPED[locale]
    catalogue: Catalogue = getattr(import_module(module), name)
    return catalogue
