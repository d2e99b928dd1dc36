#!/usr/bin/env bash
# pip install under the constraints of scripts/lowest.py, as `tox -e lowest` calls it: lowest.sh PYTHON ARGUMENT...
set -euo pipefail

here=$(dirname "$(realpath "$0")")
constraints=$(mktemp)
trap 'rm -f "$constraints"' EXIT
"$1" "$here/lowest.py" >"$constraints"
"$1" -m pip install --constraint "$constraints" "${@:2}"
