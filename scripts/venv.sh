#!/usr/bin/env bash
# Make .venv and install one of its contents; a stamp of the same name spares the next run the work.
#   venv.sh demo    the package (editable) with what the reference application needs
#   venv.sh all     the package with every backend
#   venv.sh dev     the package with every backend and every tool
#   venv.sh bench   the package with every backend, and what the benchmarks measure it against
#   venv.sh docs    the package, whose docstrings are the reference, with the documentation tools
#   venv.sh tox     tox alone: it builds the wheel and makes its own environments
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

scripts/need.sh venv
if [[ ! -x .venv/bin/pip ]]; then
    echo "making .venv with $(python3 --version)"
    python3 -m venv .venv
fi
pip=(.venv/bin/python -m pip --quiet --disable-pip-version-check)
# Dependency groups came with pip 25.1; Debian 12 ships 23.
.venv/bin/python -c 'import pip, sys; sys.exit(tuple(map(int, pip.__version__.split(".")[:2])) < (25, 1))' \
    || "${pip[@]}" install 'pip>=25.1'
echo "installing into .venv: ${what[*]}"
"${pip[@]}" install "${what[@]}"
touch ".venv/.$1"
