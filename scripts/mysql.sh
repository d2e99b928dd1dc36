#!/usr/bin/env bash
# Obtain MySQL itself for the slow proofs. It cannot be installed beside MariaDB, and Debian's releases do not have it: so
# its files are taken from Debian unstable (on Ubuntu: from the release in use), over the mirror that apt uses here, and
# unpacked into the user's cache. Nothing is installed or configured; removing the folder removes it all.
set -euo pipefail

tree=${XDG_CACHE_HOME:-$HOME/.cache}/postrmagic-core/mysql

cannot() {
    echo "no MySQL: $1" >&2
    echo "give a server's URL instead, POSTRMAGIC_TEST_MYSQL_URL=mysql://root:password@host:3306/mysql: its databases t_… come and go" >&2
    exit 1
}

there() {
    local installed
    [[ -z ${POSTRMAGIC_TEST_MYSQL_URL:-} ]] || return 0
    installed=$(PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v mysqld || true)
    [[ -n $installed ]] && ! "$installed" --no-defaults --version | grep -q MariaDB && return 0
    [[ -x $tree/usr/sbin/mysqld ]]
}

# The mirror of the system's own archive: the first that is not its security archive.
mirror() {
    # shellcheck disable=SC2016 # apt fills these in
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -1
}

there && exit 0
[[ $(id -u) -eq 0 ]] || cannot "only root can unpack it (sudo scripts/mysql.sh), into root's own cache"
command -v apt-get >/dev/null || cannot "this is no Debian or Ubuntu"

# shellcheck source=/dev/null
. /etc/os-release
case ${ID:-} in
    debian) suite=sid keyring=/usr/share/keyrings/debian-archive-keyring.gpg components=main ;;
    ubuntu) suite=$VERSION_CODENAME keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg components="main universe" ;;
    *) cannot "this is neither Debian nor Ubuntu" ;;
esac
[[ -r $keyring ]] || cannot "$keyring is missing, so packages could not be verified"

apt-get -qq update || cannot "apt reaches no mirror"
uri=$(mirror)
[[ -n $uri ]] || cannot "apt has no source of packages"
command -v mmdebstrap >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends mmdebstrap \
    >/dev/null || cannot "mmdebstrap cannot be installed"

echo "unpacking MySQL from $suite into $tree"
making=$tree.making.$$
trap 'rm -rf "$making"' EXIT
# A mirror may be frozen at a date: an index that is old, or dated after this machine's clock, is still signed.
mmdebstrap --quiet --mode=root --variant=extract --include=mysql-server-core \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    "$suite" "$making" "deb [signed-by=$keyring] $uri $suite $components" \
    || cannot "mysql-server-core of $suite could not be unpacked from $uri"
rm -rf "$tree"
mv "$making" "$tree"
