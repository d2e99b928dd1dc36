"""The application's list, upload and search under fifty clients, beside the same endpoints in FastAPI and SQLAlchemy.

Both are served by uvicorn from SQLite files of their own with the same rows. `_fastapi_app.py` is the other side.
"""

from __future__ import annotations

from .._harness import Bench

TAKES = frozenset({"duration"})


def run(bench: Bench) -> None:
    """Report every figure."""
    # Not above: modules of this package are also run by themselves, as processes that should bring no more along.
    from . import served

    served.compared(bench)
