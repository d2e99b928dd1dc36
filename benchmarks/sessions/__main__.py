"""``python -m benchmarks.sessions [options]``: as ``python -m benchmarks run sessions``."""

from __future__ import annotations

import sys

from ..__main__ import main

if __name__ == "__main__":
    raise SystemExit(main(["run", "sessions", *sys.argv[1:]]))
