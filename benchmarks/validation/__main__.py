"""``python -m benchmarks.validation [options]``: as ``python -m benchmarks run validation``."""

from __future__ import annotations

import sys

from ..__main__ import main

if __name__ == "__main__":
    raise SystemExit(main(["run", "validation", *sys.argv[1:]]))
