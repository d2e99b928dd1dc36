#!/usr/bin/env bash
# Whether a tag may be released: release_check.sh v1.2.0 [ROOT]. The tag, pyproject.toml and a dated heading of the changelog
# must say the same version, and the public API of this release must be written down as released: the next one is held to it.
set -euo pipefail

tag=${1:?usage: release_check.sh TAG [ROOT]}
root=${2:-$(dirname "$0")/..}

refuse() {
    echo "$tag is not released: $*" >&2
    exit 1
}

[[ $tag =~ ^v[0-9]+\.[0-9]+\.[0-9]+((a|b|rc)[0-9]+)?$ ]] || refuse "a tag is v1.2.3, or v1.2.3rc1 before it"
version=$(python3 -c 'import sys, tomllib; print(tomllib.load(open(sys.argv[1], "rb"))["project"]["version"])' "$root/pyproject.toml")
[[ v$version == "$tag" ]] || refuse "the version in pyproject.toml is $version"
grep -qE "^## \[?${version//./\\.}\]? - [0-9]{4}-[0-9]{2}-[0-9]{2}\$" "$root/CHANGELOG.md" \
    || refuse "CHANGELOG.md has no heading '## $version - YYYY-MM-DD'"
said=$("$(dirname "$0")/release_notes.sh" "$version" "$root/CHANGELOG.md" 2>&1) || refuse "$said"
api=$root/docs/reference/public-api
cmp --silent "$api.txt" "$api-released.txt" \
    || refuse "its public API is not written down as released: python -m tests.project.breaking --release"
echo "$tag may be released: $(wc -l <<<"$said") lines of the changelog"
