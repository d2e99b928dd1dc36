#!/usr/bin/env bash
# A version's part of the changelog, without its heading, as the text of its release: release_notes.sh VERSION [CHANGELOG]
set -euo pipefail

version=${1:?usage: release_notes.sh VERSION [CHANGELOG]}
file=${2:-$(dirname "$0")/../CHANGELOG.md}

# The heading is `## 1.2.0 - 2026-12-01`, or with the version in brackets. What links to it at the end is no part of it.
awk -v version="$version" '
    /^## / { heading = $2; gsub(/[][]/, "", heading); inside = heading == version; found += inside; next }
    /^\[[^]]+\]: / { next }
    inside { lines[++count] = $0; if (NF) last = count }
    END {
        if (!found) { print "the changelog has no heading for " version > "/dev/stderr"; exit 1 }
        if (!last) { print "the changelog says nothing of " version > "/dev/stderr"; exit 1 }
        for (number = 1; number <= last; number++) if (begun || lines[number] ~ /[^ \t]/) { begun = 1; print lines[number] }
    }' "$file"
