#!/usr/bin/env bash
# Make .venv and install one of its contents; a stamp of the same name spares the next run the work.
#   venv.sh demo    the package (editable) with what the reference application needs
#   venv.sh all     the package with every backend
#   venv.sh dev     the package with every backend and every tool
#   venv.sh bench   the package with every backend, and what the benchmarks measure it against
#   venv.sh docs    the package, whose docstrings are the reference, with the documentation tools
#   venv.sh tox     tox alone: it builds the wheel and makes its own environments
#
# PYTHON=… names the interpreter. Without it Debian's own comes before another python3 of the same version on PATH: it is built
# with profile-guided optimization, which those that version managers compile are not, and the suites take a fifth less time.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
    demo) what=(--editable '.[demo]') ;;
    all) what=(--editable '.[all,demo]') ;;
    dev) what=(--editable '.[all,demo]' --group dev) ;;
    bench) what=(--editable '.[all,demo]' --group bench) ;;
    docs) what=(--editable '.[all]' --group docs) ;;
    tox) what=('tox>=4.67') ;;
    *) echo "usage: venv.sh demo | all | dev | bench | docs | tox" >&2 && exit 2 ;;
esac

# Whether an interpreter is of the same version as another, and can make environments.
stands_in() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.argv[1] != "%d.%d" % sys.version_info[:2])' \
        "$("$2" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" 2>/dev/null
}

if [[ ! -x .venv/bin/pip ]]; then
    python=${PYTHON:-python3}
    if [[ -z ${PYTHON:-} ]] && grep -qsx 'ID=debian' /etc/os-release && stands_in /usr/bin/python3 python3; then
        python=/usr/bin/python3
    fi
    scripts/need.sh venv "$python"
    echo "making .venv with $("$python" --version), $("$python" -c 'import sys; print(sys.executable)')"
    "$python" -m venv .venv
fi
pip=(.venv/bin/python -m pip --quiet --disable-pip-version-check)
# Dependency groups came with pip 25.1; Debian 12 ships 23.
.venv/bin/python -c 'import pip, sys; sys.exit(tuple(map(int, pip.__version__.split(".")[:2])) < (25, 1))' \
    || "${pip[@]}" install 'pip>=25.1'
echo "installing into .venv: ${what[*]}"
"${pip[@]}" install "${what[@]}"
touch ".venv/.$1"
