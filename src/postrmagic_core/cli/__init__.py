"""The ``postrmagic`` command."""

from __future__ import annotations

import sys

_LASTING = ("serve", "worker")


def main() -> None:
    """Run the command line; an error of ours is one clear sentence on standard error and exit status 1."""
    if sys.argv[1:2] and sys.argv[1] in _LASTING:
        from .ending import end_before_it_begins

        end_before_it_begins()
    from .app import run

    run()
