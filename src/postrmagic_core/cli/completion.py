"""Completion by Typer's protocol, from the part alone in which the word stands: a shell asks at each press of a key.

The script that ``postrmagic --install-completion`` installs runs the command with the line in variables:
``_POSTRMAGIC_COMPLETE`` is ``complete_bash``, ``complete_zsh`` or ``complete_fish``; bash gives the words in
``COMP_WORDS`` and which of them it is in ``COMP_CWORD``, the others the line up to the cursor in
``_TYPER_COMPLETE_ARGS``. ``source_bash`` and its like ask for that script.
"""

from __future__ import annotations

from collections.abc import Mapping

_VARIABLE = "_POSTRMAGIC_COMPLETE"


def completing(environ: Mapping[str, str]) -> list[str] | None:
    """The words between the command's name and the one to be completed; None where nothing is to be completed."""
    instruction = environ.get(_VARIABLE, "")
    if not instruction:
        return None
    if instruction == "complete_bash":
        words = environ.get("COMP_WORDS", "").split()
        position = environ.get("COMP_CWORD", "")
        return words[1 : int(position) if position.isdecimal() else None]
    line = environ.get("_TYPER_COMPLETE_ARGS", "")
    words = line.split()
    return words[1:] if line[-1:].isspace() else words[1:-1]


def name_only() -> None:
    """Stand for a command that is told by its name and not loaded."""
