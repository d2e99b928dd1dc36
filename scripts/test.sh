#!/usr/bin/env bash
# What a merge needs, stage by stage. Every stage runs even where an earlier one failed; the times come last, with
# pytest's own summary of the full run under them.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

scripts/need.sh servers || exit 1

# The tests' own files in memory: each commit to a SQLite file waits for the disk otherwise. Where memory is offered
# sparingly (containers), they stay on the disk.
room=$(df --output=avail --block-size=1M /dev/shm 2>/dev/null | tail -n 1)
if [[ -w /dev/shm && ${room:-0} -gt 2048 ]]; then
    PYTEST_DEBUG_TEMPROOT=$(mktemp -d /dev/shm/postrmagic-ci-XXXXXX)
    export PYTEST_DEBUG_TEMPROOT
    trap 'rm -rf "$PYTEST_DEBUG_TEMPROOT"' EXIT
fi

full_log=.tox/full.log
mkdir -p .tox
: >"$full_log"
table=()
failed=()

stage() {
    local name=$1 start=$SECONDS verdict=ok
    shift
    echo "== $name"
    "$@" || { verdict=FAILED && failed+=("$name"); }
    table+=("$(printf '%6d s  %-6s  %s' $((SECONDS - start)) "$verdict" "$name")")
}

tox=(.venv/bin/python -m tox)
python=$PWD/.tox/full/bin

# Both wait for the package index as much as for a core. What is never imported is never compiled.
environments() {
    PIP_NO_COMPILE=1 "${tox[@]}" run-parallel -q -p 2 --parallel-no-spinner --notest -e full,standalone
}

# Only what no test has use for: a test that waits for a core would fail by its time-outs.
idly() {
    if command -v chrt >/dev/null; then chrt --idle 0 "$@"; else nice -n 19 "$@"; fi
}

# With what the full run's environment has: one environment less to make for each.
lint() { PATH=$python:$PATH idly scripts/lint.sh; }
# Every page and every warning, in a theme without the whole index beside each page, which takes as long as all the rest.
documentation() { idly "$python/python" -m sphinx -q -W -n --keep-going -D html_theme=basic docs .tox/html; }
alone() { idly scripts/standalone.sh "$PWD/.tox/standalone/bin/python"; }
# It has its time while the tests are collected, and gives up soon where nobody answers.
audit() { PATH=$python:$PATH scripts/audit.sh; }

# The full run leaves a core to itself a tenth of the time, waiting for servers, children and time-outs: what is only
# computed takes what is left. The collection leaves the tests compiled, which each of the run's processes would do.
everything() {
    local name code=0
    local -A jobs=()
    for name in lint documentation alone audit; do
        "$name" >".tox/$name.log" 2>&1 &
        jobs[$name]=$!
    done
    env -u PYTHONDONTWRITEBYTECODE "$python/python" -m pytest --collect-only -qq >.tox/collection.log 2>&1
    "${tox[@]}" run -q -e full --skip-pkg-install -- --color=no 2>&1 | tee "$full_log" || code=1
    for name in "${!jobs[@]}"; do
        wait "${jobs[$name]}" || { code=1 && echo "!! $name failed"; }
        cat ".tox/$name.log"
    done
    return "$code"
}

stage "environments" environments
stage "every suite; beside it lint, documentation, standalone, audit" everything

echo
echo "== seconds per stage"
printf '%s\n' "${table[@]}" "$(printf '%6d s  %-6s  %s' "$SECONDS" "$([[ ${#failed[@]} -eq 0 ]] && echo ok || echo FAILED)" "in all")"
grep -E '^=+ .*(passed|failed|error|no tests ran).* in [0-9.]+s' "$full_log" | tail -n 1
[[ ${#failed[@]} -eq 0 ]]
