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
    "${tox[@]}" run -q -e full -- --color=no 2>&1 | tee "$full_log"
}

present=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
others=()
for version in 3.11 3.12 3.13; do
    if [[ $version == "$present" ]]; then
        continue
    elif "python$version" -c '' 2>/dev/null; then
        others+=("py${version/./}")
    else
        table+=("     -    ABSENT  Python $version is not installed: its contracts were not run here")
        echo "!! ${table[-1]##*ABSENT  }"
    fi
done

stage "lint, docs, standalone" "${tox[@]}" run-parallel -q -p 2 --parallel-no-spinner -e lint,docs,standalone
if [[ ${#others[@]} -gt 0 ]]; then
    stage "contracts on ${others[*]}" "${tox[@]}" run-parallel -q -p 2 --parallel-no-spinner -e "$(IFS=, && echo "${others[*]}")"
fi
# The suites wait for servers and time-outs most of the time: meanwhile each guard is turned off, one after the other.
guards_log=.tox/guards.log
prove_guards() {
    until [[ -e .tox/full/.ready ]]; do sleep 0.2; done
    nice .tox/full/bin/python -m postrmagic_core.testing.guards tests/faults.toml
}
rm -f .tox/full/.ready
prove_guards >"$guards_log" 2>&1 &
guards=$!
stage "every suite on Python $present" full
touch .tox/full/.ready # where no environment came to be, the guards fail by themselves
told_guards() {
    wait "$guards"
    local code=$?
    cat "$guards_log"
    return "$code"
}
stage "guards, each turned off" told_guards

echo
echo "== seconds per stage"
printf '%s\n' "${table[@]}" "$(printf '%6d s  %-6s  %s' "$SECONDS" "$([[ ${#failed[@]} -eq 0 ]] && echo ok || echo FAILED)" "in all")"
grep -E '^=+ .*(passed|failed|error|no tests ran).* in [0-9.]+s' "$full_log" | tail -n 1
[[ ${#failed[@]} -eq 0 ]]
