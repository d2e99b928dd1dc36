#!/usr/bin/env bash
# The contracts on the oldest and the newest Python besides the one that `make test` runs on; the one between them is a
# slow proof (make soak). A version that is not installed is named.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

# pyenv's shims answer 127 for versions not chosen: offer its interpreters themselves.
for folder in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[1-3]*/bin; do
    [[ -d $folder ]] && PATH="$folder:$PATH"
done
export PATH

present=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
others=()
for version in 3.11 3.13; do
    if [[ $version == "$present" ]]; then
        continue
    elif "python$version" -c '' 2>/dev/null; then
        others+=("py${version/./}")
    else
        echo "!! Python $version is not installed: its contracts were not run here"
    fi
done
[[ ${#others[@]} -eq 0 ]] || PIP_NO_COMPILE=1 .venv/bin/python -m tox run -q -e "$(IFS=, && echo "${others[*]}")"
