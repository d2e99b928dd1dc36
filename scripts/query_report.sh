#!/usr/bin/env bash
# Write docs/reports/queries.md: the reference application's queries on so many generated media (default 200000), on
# SQLite, and on MariaDB where there is one.
set -euo pipefail
cd "$(dirname "$0")/.."

exec .venv/bin/python -m benchmarks._library --media "${1:-200000}"
