"""``python -m benchmarks.transfer [options]``: as ``python -m benchmarks run transfer``."""

from __future__ import annotations

import sys

from ..__main__ import main

if __name__ == "__main__":
    raise SystemExit(main(["run", "transfer", *sys.argv[1:]]))
