"""The ``postrmagic`` command."""

from __future__ import annotations


def main() -> None:
    """Run the command line; an error of ours is one clear sentence on standard error and exit status 1."""
    from .app import run

    run()
