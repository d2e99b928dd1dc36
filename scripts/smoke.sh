#!/usr/bin/env bash
# Go through the reference application once, without a person, and stop.
#   smoke.sh                 on the embedded default
#   smoke.sh mysql+redis     on private servers, started for this run
set -euo pipefail
cd "$(dirname "$0")/.."

urls=()
if [[ -n ${1:-} ]]; then
    scripts/need.sh servers
    urls=(--urls "$1")
fi
cd examples
exec ../.venv/bin/python -m media_library smoke "${urls[@]}"
