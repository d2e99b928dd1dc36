"""``python -m benchmarks.api [options]``: as ``python -m benchmarks run api``."""

from __future__ import annotations

import sys

from ..__main__ import main

if __name__ == "__main__":
    raise SystemExit(main(["run", "api", *sys.argv[1:]]))
