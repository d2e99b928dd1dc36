#!/usr/bin/env bash
# Each benchmark once, the quick way. `python -m benchmarks run NAME` measures one properly.
set -euo pipefail
cd "$(dirname "$0")/.."

names=$(.venv/bin/python -m benchmarks list | awk 'NF { print $1 }')
for name in $names; do
    echo "-- $name"
    .venv/bin/python -m benchmarks run "$name" --quick
done
