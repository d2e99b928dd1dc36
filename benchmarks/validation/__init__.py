"""What checking an input costs beside pydantic, marshmallow and Cerberus, and what a hostile megabyte costs at most.

The valid inputs are one nested model of eight fields; the rules that ask a database run on a SQLite file.
"""

from __future__ import annotations

from .._harness import Bench

TAKES: frozenset[str] = frozenset()


def run(bench: Bench) -> None:
    """Report every figure."""
    from . import costs, hostile, stored

    costs.beside_pydantic(bench)
    costs.beside_peers(bench)
    stored.exists(bench)
    hostile.refused(bench)
