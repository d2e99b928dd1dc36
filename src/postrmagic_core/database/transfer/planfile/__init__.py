"""A plan as a person reads it: the file that is corrected, and the pages that show it."""

from __future__ import annotations
