"""Flags for one user, as they were when it was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from . import policy
from .interface import Rule


class View:
    """What :meth:`Flags.fixed` gives: answers that stay the same however flags change meanwhile.

    To be kept for one request or job, and no longer. It may be used in several threads.
    """

    __slots__ = ("_roles", "_rules", "_unknown", "_user")

    def __init__(
        self,
        rules: Mapping[str, Rule],
        user_id: str | None,
        roles: frozenset[str],
        unknown: Callable[[str], bool],
    ) -> None:
        self._rules = rules
        self._user = user_id
        self._roles = roles
        self._unknown = unknown

    def on(self, name: str) -> bool:
        """See :meth:`Flags.on`."""
        rule = self._rules.get(name)
        if rule is None:
            return self._unknown(name)
        return policy.reason(name, rule, self._user, self._roles) in policy.ON

    def state(self, names: Iterable[str] | None = None) -> dict[str, bool]:
        """See :meth:`Flags.state`."""
        return {name: self.on(name) for name in (sorted(self._rules) if names is None else names)}
