#!/usr/bin/env bash
# Build what is published, once, and see that it can be used: dist.sh [FOLDER]
# The wheel is made from the source distribution, so that each shows what the other holds. Both take their dates from the
# commit: who builds it again has the same bytes.
#   PYTHON=python3   what builds
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(realpath -m "${1:-dist}")
python=${PYTHON:-python3}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

[[ -z $(ls -A "$folder" 2>/dev/null) ]] || { echo "$folder is not empty: what is published is what was built now" >&2 && exit 1; }
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH PIP_DISABLE_PIP_VERSION_CHECK=1

"$python" -m venv "$scratch/tools"
"$scratch/tools/bin/python" -m pip install --quiet 'build>=1.6' 'twine>=7'
"$scratch/tools/bin/python" -m build --outdir "$folder" . >"$scratch/said" 2>&1 || { cat "$scratch/said" >&2 && exit 1; }
"$scratch/tools/bin/python" -m twine check --strict "$folder"/*

# As a user has it: in an environment of its own, far from the checkout.
"$python" -m venv "$scratch/user"
"$scratch/user/bin/python" -m pip install --quiet "$folder"/*.whl
cd "$scratch"
"$scratch/user/bin/postrmagic" --help >/dev/null
"$scratch/user/bin/python" -W error - "$folder"/*.whl <<'CODE'
import sys
from importlib.metadata import version
from pathlib import Path

import postrmagic_core

names = [name for name in postrmagic_core.__all__ if getattr(postrmagic_core, name) is not None]
assert "site-packages" in Path(postrmagic_core.__file__).parts, postrmagic_core.__file__
assert Path(sys.argv[1]).name.split("-")[1] == version("postrmagic-core"), sys.argv
print(f"postrmagic-core {version('postrmagic-core')} installs; {len(names)} names import")
CODE
cd "$folder" && sha256sum -- *
