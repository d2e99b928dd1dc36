#!/usr/bin/env bash
# What the image of this run is called, as lines for $GITHUB_OUTPUT: its name, its release, its tags. A tag v1.2.0 makes 1.2.0,
# a branch sha-<commit>. Nothing is called `latest`: who deploys says what.
set -euo pipefail

: "${GITHUB_REPOSITORY:?}" "${GITHUB_REF_TYPE:?}" "${GITHUB_REF_NAME:?}" "${GITHUB_SHA:?}"
image=${REGISTRY:-ghcr.io}/${GITHUB_REPOSITORY,,}
case $GITHUB_REF_TYPE in
    tag) release=${GITHUB_REF_NAME#v} tag=${GITHUB_REF_NAME#v} ;;
    branch) release=${GITHUB_SHA:0:12} tag=sha-$GITHUB_SHA ;;
    *) echo "neither a tag nor a branch: $GITHUB_REF_TYPE" >&2 && exit 1 ;;
esac
[[ $release =~ ^[0-9A-Za-z][0-9A-Za-z._-]*$ ]] || { echo "no name for an image: $release" >&2 && exit 1; }
printf '%s\n' "image=$image" "release=$release" "tags=$image:$tag"
