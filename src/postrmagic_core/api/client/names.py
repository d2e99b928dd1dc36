"""Text of a specification as names, literals and docstrings of Python: whatever it holds, it stays text."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator
from textwrap import wrap

WIDTH = 88
_LONGEST = 60
_WORD = re.compile(r"[A-Za-z0-9]+")
# What annotations in a class are made of: a member of such a name would hide it from those below.
FIELDS = frozenset(["bool", "classmethod", "date", "datetime", "dict", "float", "int", "list", "object", "str"])
METHODS = FIELDS | {"bytes", "os", "httpx", "close", "aclose", "csrf_token"}


class Names:
    """Gives each thing of one scope a name of its own; one that is taken gets an underscore behind it."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def value(self, text: str) -> str:
        """A name for a method, a parameter or a field: snake case, ASCII, no keyword."""
        return self._free(snake(text))

    def type(self, text: str) -> str:
        """A name for a class."""
        found = "".join(word[0].upper() + word[1:] for word in _WORD.findall(text))[:_LONGEST]
        return self._free(found if found[:1].isalpha() else f"Model{found}")

    def _free(self, name: str) -> str:
        while name in self._taken or keyword.iskeyword(name):
            name += "_"
        self._taken.add(name)
        return name


def snake(text: str) -> str:
    """``text`` as ASCII letters in lower case, digits and underscores, beginning with a letter."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    found = "_".join(_WORD.findall(spaced)).lower()[:_LONGEST].rstrip("_")
    return found if found[:1].isalpha() else f"value_{found}".rstrip("_")


def literal(value: object) -> str:
    """``value``, a text or a plain constant, as a literal of Python."""
    if not isinstance(value, str):
        return repr(value)
    mark = '"' if value.count('"') <= value.count("'") else "'"
    return mark + "".join(_spelled(one, mark) for one in value) + mark


def _spelled(one: str, mark: str) -> str:
    if one in {mark, "\\"}:
        return "\\" + one
    return one if one.isprintable() else repr(one)[1:-1]


def plain(text: object) -> str:
    """``text`` on one line, fit to stand between three quotes: its backslashes doubled, its quotes never three."""
    if not isinstance(text, str):
        return ""
    found = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    found = re.sub(r'"{2,}', lambda run: "'" * len(run[0]), found.replace("\\", "\\\\"))
    return found.replace('"', "'") if found[:1] == '"' or found[-1:] == '"' else found


def docstring(paragraphs: Iterable[str], indent: int, items: Iterable[tuple[str, str]] = ()) -> Iterator[str]:
    """The lines of a docstring: paragraphs of :func:`plain` text, then what is told of each parameter."""
    blocks = [_wrapped(one, indent) for one in paragraphs if one]
    told = [line for name, text in items if text for line in _wrapped(f"{name}: {text}", indent, hanging=True)]
    blocks += [told] if told else []
    pad = " " * indent
    if len(blocks) == 1 and len(blocks[0]) == 1 and indent + len(blocks[0][0]) + 6 <= WIDTH:
        yield f'{pad}"""{blocks[0][0]}"""'
        return
    first = True
    for block in blocks:
        if not first:
            yield ""
        for line in block:
            yield f'{pad}"""{line}' if first else pad + line
            first = False
    yield f'{pad}"""'


def _wrapped(text: str, indent: int, *, hanging: bool = False) -> list[str]:
    # Three columns for the quotes before the first line.
    return wrap(
        text,
        WIDTH - indent - 3,
        subsequent_indent="    " if hanging else "",
        break_long_words=False,
        break_on_hyphens=False,
    )
