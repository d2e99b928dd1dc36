"""All examples together, and the page that shows them.

``python -m tests.validation.rules.catalogue > docs/reference/rules.md`` writes the page anew.
"""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

from postrmagic_core.validation import rules
from tests.validation.rules.identifiers import CHECKED, CODES
from tests.validation.rules.texts import TEXTS
from tests.validation.rules.values import DATES, LISTS, NUMBERS
from tests.validation.rules.vectors import Vector

THEMES = {
    "Text": TEXTS,
    "Numbers": NUMBERS,
    "Lists and choices": LISTS,
    "Dates and times": DATES,
    "Identifiers with check digits": CHECKED,
    "Other identifiers and formats": CODES,
}
VECTORS = [vector for vectors in THEMES.values() for vector in vectors]

_HEAD = """# Rules

All are in `postrmagic_core.validation.rules`. Those with parameters stand in `Annotated`: `Annotated[str, Ascii()]`;
the others are types: `account: Iban`. Several may follow each other. Every rule limits the length first: a text that
is too long has the code `string_too_long`, a list `too_long`. *By name* is the key in `NAMED` of
`postrmagic_core.validation.rules.named`, which makes rules from plain data. An example shows what is kept of it where
that differs.
"""


def told(name: str) -> str:
    """The first paragraph of what a rule's documentation says, in one line of Markdown."""
    documentation = _documented().get(name) or inspect.getdoc(getattr(rules, name)) or ""
    paragraph = documentation.split("\n\n")[0].replace("\n", " ").replace("``", "`").replace("|", "\\|")
    return re.sub(r":\w+:`\.*(?:\w+\.)?(\w+)`", r"`\1`", paragraph)


@cache
def _documented() -> dict[str, str]:
    """The texts under the assignments of types: Python keeps none of them."""
    found = {}
    for path in sorted(Path(rules.__file__ or "").parent.glob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for node, following in pairwise(body):
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            if isinstance(target, ast.Name) and isinstance(following, ast.Expr):
                found[target.id] = str(ast.literal_eval(following.value))
    return found


def row(vector: Vector) -> str:
    """A rule's line in the table."""
    codes = sorted({code for _, code in vector.invalid if "." in code} or {code for _, code in vector.invalid})
    given, kept = next((given, kept) for given, kept in vector.valid if given not in ("", []))
    example = f"`{_short(given)}`" if given == kept else f"`{_short(given)}` → `{_short(kept)}`"
    cells = [f"`{vector.shown}`", told(vector.name), " ".join(f"`{code}`" for code in codes), example, vector.named]
    return f"| {' | '.join(cells)} |"


def _short(value: object) -> str:
    shown = value if isinstance(value, str) else str(value)
    return (shown if len(shown) <= 40 else f"{shown[:39]}…").strip().replace("|", "\\|")


def page() -> str:
    """docs/reference/rules.md."""
    parts = [_HEAD]
    for theme, vectors in THEMES.items():
        parts.append(f"## {theme}\n\n| rule | accepts | codes | example | by name |\n| --- | --- | --- | --- | --- |")
        parts.append("\n".join(row(vector) for vector in vectors) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - the page is what this program gives
