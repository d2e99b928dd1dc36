"""The list of common passwords that zxcvbn ships: 30,000 of leaks, the most frequent first; read once, at first use."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from importlib.util import find_spec

from ...errors import MissingExtra


class CommonPasswords:
    """What was in leaks most often, in lower case; :class:`MissingExtra` at first use where zxcvbn is not installed."""

    def __contains__(self, folded: object) -> bool:
        return folded in self._listed

    def __repr__(self) -> str:
        return "COMMON"

    @cached_property
    def _listed(self) -> frozenset[str]:
        check_installed()
        listed: str | list[str] = import_module("zxcvbn.frequency_lists").FREQUENCY_LISTS["passwords"]
        return frozenset(listed.split(",") if isinstance(listed, str) else listed)


COMMON = CommonPasswords()


def check_installed() -> None:
    """Raise :class:`MissingExtra` unless zxcvbn is there."""
    if find_spec("zxcvbn") is None:
        raise MissingExtra(
            "common passwords are listed by zxcvbn, which is not installed: pip install 'postrmagic-core[security]', "
            "or pass PasswordRules(common=…)"
        )
