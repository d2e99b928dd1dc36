"""From what is in the source to a plan."""

from __future__ import annotations
