"""A plan carried out: snapshot, batches, checkpoints, what is added after the rows."""

from __future__ import annotations
