#!/usr/bin/env bash
# Style, types, layers and what is unsafe to write, with the tools found on PATH. Every check runs; the first failure does
# not hide the next.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

failed=()
check() {
    echo "-- $*"
    "$@" || failed+=("$1")
}

# A core is free as long as the type checkers run, one after the other.
unsafe=(python -m tests.project.unsafe src examples benchmarks)
said=$(mktemp)
trap 'rm -f "$said"' EXIT
"${unsafe[@]}" >"$said" 2>&1 &
unsafe_pid=$!

check ruff check --quiet .
check ruff format --check --quiet .
check mypy --strict src tests examples benchmarks
check pyright --project pyproject.toml --pythonpath "$(command -v python)"
check lint-imports --no-cache --no-logo
check python -m tests.api.openapi.lint examples/media_library/openapi.json

echo "-- ${unsafe[*]}"
wait "$unsafe_pid" || failed+=(unsafe)
cat "$said"

if [[ ${#failed[@]} -gt 0 ]]; then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
