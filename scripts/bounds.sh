#!/usr/bin/env bash
# What a further Python runs, with the lowest and with the newest versions that pyproject.toml admits: bounds.sh [lowest] [newest]
set -uo pipefail
cd "$(dirname "$0")/.." || exit

# pyenv's shims answer 127 for versions not chosen: offer its interpreters themselves.
for folder in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[13]*/bin; do
    [[ -d $folder ]] && PATH="$folder:$PATH"
done
export PATH

[[ $# -gt 0 ]] || set -- lowest newest
# Made anew each time: what was the newest yesterday is in the environment that is there.
PIP_NO_COMPILE=1 .venv/bin/python -m tox run -q -r -e "$(IFS=, && echo "$*")"
