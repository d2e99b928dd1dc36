#!/usr/bin/env bash
# The bill of materials of the one wheel in a folder, installed with all its extras, in CycloneDX: sbom.sh FOLDER FILE
#   PYTHON=python3   what it is installed for
set -euo pipefail

wheel=$(realpath "${1:?usage: sbom.sh FOLDER FILE}"/*.whl)
file=$(realpath -m "${2:?usage: sbom.sh FOLDER FILE}")
python=${PYTHON:-python3}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1

"$python" -m venv "$scratch/tools"
"$scratch/tools/bin/python" -m pip install --quiet 'cyclonedx-bom>=7.5'
# Without pip in it: what is listed is what the package brings, not what installed it.
"$python" -m venv --without-pip "$scratch/user"
"$scratch/tools/bin/python" -m pip --python "$scratch/user/bin/python" install --quiet "${wheel}[all]"
mkdir -p "$(dirname "$file")"
"$scratch/tools/bin/cyclonedx-py" environment --output-reproducible --output-format JSON --output-file "$file" \
    "$scratch/user/bin/python"
"$python" - "$file" <<'CODE'
import json
import sys

bill = json.load(open(sys.argv[1], encoding="utf-8"))
names = {part["name"] for part in bill["components"]}
assert {"postrmagic-core", "sqlalchemy", "redis"} <= {name.lower() for name in names}, names
print(f"{sys.argv[1]}: {len(names)} components, CycloneDX {bill['specVersion']}")
CODE
