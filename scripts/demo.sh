#!/usr/bin/env bash
# Run the reference application on the embedded default until interrupted.
set -euo pipefail
cd "$(dirname "$0")/../examples"
exec ../.venv/bin/python -m media_library demo
