"""HTML as a type: ``about: SafeHtml[LINKS]``, or ``about: Annotated[str, SafeHtml(LINKS)]`` where types are checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from ..errors import ConfigurationError
from .html import FORMATTING, POLICIES, HtmlPolicy, reduced
from .rule import TextRule, refused


@dataclass(frozen=True, slots=True)
class SafeHtml(TextRule):
    """HTML reduced to what ``policy`` allows (see :func:`.html.clean_html`); what is left is safe to show unescaped.

    ``SafeHtml[policy]`` is the annotation written out: ``Annotated[str, SafeHtml(policy)]``. There ``policy`` may also
    be one of the names ``"formatting"``, ``"links"`` and ``"nothing"``. mypy and pyright know no types that take a
    value; for them, write the long form.
    """

    policy: HtmlPolicy = FORMATTING

    def __class_getitem__(cls, policy: HtmlPolicy | str) -> Any:
        """The annotation of a field of this policy."""
        found = POLICIES.get(policy) if isinstance(policy, str) else policy
        if not isinstance(found, HtmlPolicy):
            raise ConfigurationError(f"SafeHtml[…]: expected an HtmlPolicy or one of {', '.join(POLICIES)}")
        return Annotated[str, cls(found)]

    def _limit(self) -> int:
        return self.policy.max_bytes

    def _check(self, value: str) -> str:
        cleaned = reduced(value, self.policy)
        if isinstance(cleaned, str):
            return cleaned
        raise refused(cleaned.code, limit=cleaned.limit)
