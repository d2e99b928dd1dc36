#!/usr/bin/env bash
# Run each example of one component alone, in a scratch folder: standalone.sh PYTHON (with the core dependencies only).
set -euo pipefail
cd "$(dirname "$0")/.."

python=$1
examples=("$PWD"/examples/standalone/*.py)
[[ -e ${examples[0]} ]] || { echo "examples/standalone holds no example" >&2 && exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for example in "${examples[@]}"; do
    echo "-- $(basename "$example")"
    room=$(mktemp -d -p "$scratch")
    (cd "$room" && timeout 60 "$python" -W error "$example")
done
