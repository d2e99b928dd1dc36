"""Models built from data while the program runs: a form's definition as JSON, compiled once.

The definition may come from outside. It is checked as any input is, names its rules from fixed tables, and is never
code: no expression, no template, no import. What it cannot say, :class:`Input` can.
"""

from __future__ import annotations

from .describing import describe
from .forms import build, validator_for
from .model import DefinitionLimits

__all__ = ["DefinitionLimits", "build", "describe", "validator_for"]
