#!/usr/bin/env bash
# See that the machine has what a target needs; as root with apt, install what it lacks.
#   need.sh venv PYTHON   that it is 3.11 or newer, and can make virtual environments
#   need.sh servers       Redis, MariaDB, RabbitMQ, Prometheus, Alertmanager, rsyslog, Chromium, a font, strace, curl, OpenSSH's client, for the tests (never started as services)
set -euo pipefail

policy=/usr/sbin/policy-rc.d

install() {
    echo "installing: $*"
    if [[ ! -e $policy ]]; then
        # A freshly installed server would start and take its port: deny it for as long as apt runs.
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get -qq update
    quietly apt-get -qq install -y --no-install-recommends "$@"
}

quietly() {
    local said
    said=$("$@" 2>&1) || { echo "$said" >&2 && exit 1; }
}

obtain() {
    if [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
        install "$@"
    else
        echo "missing: $*" >&2
        echo "install them (Debian, Ubuntu: sudo apt-get install --no-install-recommends $*) and run this again" >&2
        exit 1
    fi
}

need_venv() {
    if ! "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        echo "Python 3.11 or newer is needed as $1; found: $("$1" --version 2>&1 || true)" >&2
        exit 1
    fi
    "$1" -c 'import ensurepip, venv' 2>/dev/null || obtain python3-venv
}

need_servers() {
    local missing=()
    command -v redis-server >/dev/null || missing+=(redis-server)
    PATH="$PATH:/usr/sbin" command -v mariadbd >/dev/null || missing+=(mariadb-server)
    PATH="$PATH:/usr/sbin:/usr/lib/rabbitmq/bin" command -v rabbitmq-server >/dev/null || missing+=(rabbitmq-server)
    command -v prometheus >/dev/null && command -v promtool >/dev/null || missing+=(prometheus)
    command -v prometheus-alertmanager >/dev/null || missing+=(prometheus-alertmanager)
    PATH="$PATH:/usr/sbin" command -v rsyslogd >/dev/null || missing+=(rsyslog)
    command -v chromium >/dev/null || missing+=(chromium)
    # Elsewhere than on Debian the browser itself does its work, at the cost of time.
    command -v chromium-headless-shell >/dev/null || ! grep -qx 'ID=debian' /etc/os-release \
        || missing+=(chromium-headless-shell)
    command -v strace >/dev/null || missing+=(strace)
    command -v curl >/dev/null || missing+=(curl)
    command -v ssh >/dev/null && command -v ssh-keygen >/dev/null || missing+=(openssh-client)
    [[ -d /usr/share/fonts/truetype/dejavu ]] || missing+=(fonts-dejavu-core)
    [[ ${#missing[@]} -eq 0 ]] || obtain "${missing[@]}"
}

case "${1:-}" in
    venv) need_venv "${2:-python3}" ;;
    servers) need_servers ;;
    *) echo "usage: need.sh venv [PYTHON] | servers" >&2 && exit 2 ;;
esac
