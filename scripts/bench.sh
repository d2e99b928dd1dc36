#!/usr/bin/env bash
# Each benchmark once, the quick way. `python -m benchmarks run NAME` measures one properly. What needs a Docker engine
# has make targets of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

names=$(.venv/bin/python -m benchmarks list | awk 'NF && $1 != "deploy" { print $1 }')
for name in $names; do
    echo "-- $name"
    .venv/bin/python -m benchmarks run "$name" --quick
done
