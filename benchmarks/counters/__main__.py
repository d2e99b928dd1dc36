"""``python -m benchmarks.counters [options]``: as ``python -m benchmarks run counters``."""

from __future__ import annotations

import sys

from ..__main__ import main

if __name__ == "__main__":
    raise SystemExit(main(["run", "counters", *sys.argv[1:]]))
