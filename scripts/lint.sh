#!/usr/bin/env bash
# Style, types and layers, with the tools found on PATH. Every check runs; the first failure does not hide the next.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

failed=()
check() {
    echo "-- $*"
    "$@" || failed+=("$1")
}

check ruff check --quiet .
check ruff format --check --quiet .
check mypy --strict src tests examples benchmarks
check pyright --project pyproject.toml --pythonpath "$(command -v python)"
check lint-imports --no-cache --no-logo
check python -m tests.api.openapi.lint examples/media_library/openapi.json

if [[ ${#failed[@]} -gt 0 ]]; then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
