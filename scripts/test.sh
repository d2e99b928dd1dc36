#!/usr/bin/env bash
# What a merge needs, stage by stage. Every stage runs even where an earlier one failed; the times come last, with
# pytest's own summary of the full run under them.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

scripts/need.sh servers || exit 1

# pyenv's shims answer 127 for versions not chosen: offer its interpreters themselves.
for folder in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[1-3]*/bin; do
    [[ -d $folder ]] && PATH="$folder:$PATH"
done
export PATH

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
full() {
    "${tox[@]}" run -q -e full --skip-pkg-install -- --color=no 2>&1 | tee "$full_log"
}

present=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
others=()
# The oldest and the newest; the one between them is a slow proof (make soak).
for version in 3.11 3.13; do
    if [[ $version == "$present" ]]; then
        continue
    elif "python$version" -c '' 2>/dev/null; then
        others+=("py${version/./}")
    else
        table+=("     -    ABSENT  Python $version is not installed: its contracts were not run here")
        echo "!! ${table[-1]##*ABSENT  }"
    fi
done

alone=(standalone "${others[@]}")

# Each waits for the package index as much as for a core. What is never imported is never compiled.
environments() {
    PIP_NO_COMPILE=1 "${tox[@]}" run-parallel -q -p 3 --parallel-no-spinner --notest -e "full,$(IFS=, && echo "${alone[*]}")"
}

# Style, types and documentation with what the full run's environment has: one environment less to make for each. The
# collection leaves the tests compiled, which each of the full run's processes would do for itself.
static() {
    local python=$PWD/.tox/full/bin parts=(contracts lint docs) part jobs=() code=0
    "${tox[@]}" run-parallel -q -p 2 --parallel-no-spinner --skip-pkg-install -e "$(IFS=, && echo "${alone[*]}")" >.tox/contracts.log 2>&1 &
    jobs+=($!)
    PATH=$python:$PATH scripts/lint.sh >.tox/lint.log 2>&1 &
    jobs+=($!)
    "$python/python" -m sphinx -q -W -n --keep-going docs .tox/html >.tox/docs.log 2>&1 &
    jobs+=($!)
    env -u PYTHONDONTWRITEBYTECODE "$python/python" -m pytest --collect-only -qq >.tox/collection.log 2>&1 &
    for part in "${!parts[@]}"; do
        wait "${jobs[$part]}" || { code=1 && echo "!! ${parts[$part]} failed"; }
        cat ".tox/${parts[$part]}.log"
    done
    wait  # a collection that failed fails in the full run, which shows it
    return "$code"
}

stage "environments" environments
# At once: the long ones leave a core to each other whenever they wait.
stage "lint, docs, standalone${others[*]:+, contracts on ${others[*]}}" static
# Alone: the servers and the tests that race processes against each other need both cores.
stage "every suite on Python $present" full

echo
echo "== seconds per stage"
printf '%s\n' "${table[@]}" "$(printf '%6d s  %-6s  %s' "$SECONDS" "$([[ ${#failed[@]} -eq 0 ]] && echo ok || echo FAILED)" "in all")"
grep -E '^=+ .*(passed|failed|error|no tests ran).* in [0-9.]+s' "$full_log" | tail -n 1
[[ ${#failed[@]} -eq 0 ]]
