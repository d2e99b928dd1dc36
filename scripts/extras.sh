#!/usr/bin/env bash
# Each extra alone: an environment with the wheel and that extra and nothing else, in which what the extra is for does a small
# real thing; before it is there, the error has to name it. A line each at the end: extras.sh [WHEEL] [EXTRA...]
#   PYTHON=python3   what the environments are made with
#   JOBS=2           how many at once
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
script=$PWD/scripts/extras.py
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
unset PYTHONPATH

# Runs quietly; what fails is shown.
quietly() { "$@" >"$scratch/said" 2>&1 || { cat "$scratch/said" >&2 && return 1; }; }

"$python" -m venv "$scratch/tools"
pip=("$scratch/tools/bin/python" -m pip)
# An environment without pip: what is in it is what was put there.
"$python" -m venv --without-pip "$scratch/core"
if [[ ${1:-} == *.whl ]]; then
    wheel=$(realpath "$1")
    shift
else
    quietly "${pip[@]}" wheel --no-deps --wheel-dir "$scratch/wheel" .
    wheel=$(echo "$scratch"/wheel/*.whl)
fi
quietly "${pip[@]}" --python "$scratch/core/bin/python" install "$wheel"
if [[ $# -eq 0 ]]; then
    mapfile -t extras < <("$python" -c 'import tomllib
with open("pyproject.toml", "rb") as file:
    print("\n".join(tomllib.load(file)["project"]["optional-dependencies"]))')
    set -- "${extras[@]}"
fi

# Where an environment has its packages.
packages() { "$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }

tried() {
    local extra=$1 place=$2
    mkdir "$place.room" && cd "$place.room" \
        && "$place/bin/python" -W error "$script" "$extra" without \
        && "${pip[@]}" --quiet --python "$place/bin/python" install "${wheel}[$extra]" \
        && "${pip[@]}" --python "$place/bin/python" check \
        && "$place/bin/python" -W error "$script" "$extra"
}

# What the package itself needs was installed once; a copy of it is where each begins.
one() {
    local extra=$1 place=$scratch/$1 begun=$SECONDS verdict=ok
    "$python" -m venv --without-pip "$place"
    cp -al "$(packages "$scratch/core")/." "$(packages "$place")/"
    (tried "$extra" "$place") >"$place.log" 2>&1 || verdict=FAILED
    [[ $verdict == ok ]] || sed "s/^/$extra: /" "$place.log" >&2
    printf '%-10s  %-6s  %4d s  %s\n' "$extra" "$verdict" $((SECONDS - begun)) "$(tail -n 1 "$place.log" | cut -c 1-100)" >"$place.row"
    rm -rf "$place"
}

running=0
for extra in "$@"; do
    [[ $running -lt ${JOBS:-2} ]] || { wait -n || true; running=$((running - 1)); }
    one "$extra" &
    running=$((running + 1))
done
wait
cat "$scratch"/*.row
! grep -q '^[a-z]*  *FAILED' "$scratch"/*.row
