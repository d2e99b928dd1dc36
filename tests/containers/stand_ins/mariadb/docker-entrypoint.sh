#!/usr/bin/env bash
# What the original's entry point does with MARIADB_ROOT_PASSWORD, MARIADB_ROOT_HOST, MARIADB_DATABASE, MARIADB_USER and
# MARIADB_PASSWORD, each of them from a file as well (…_FILE): at the first start, behind closed doors. Afterwards it is the
# server itself.
set -euo pipefail

data=/var/lib/mysql
[[ ${1:-} != -* ]] || set -- mariadbd "$@"

if [[ $1 == mariadbd && $(id -u) == 0 ]]; then
    chown mysql:mysql "$data"
    exec gosu mysql "$0" "$@"
fi

value() {
    local name=MARIADB_$1 file=MARIADB_$1_FILE
    if [[ -n ${!file:-} ]]; then cat "${!file}"; else echo "${!name:-}"; fi
}

quoted() {
    local text=${1//\\/\\\\}
    echo "'${text//\'/\'\'}'"
}

statements() {
    local root user database
    root=$(value ROOT_PASSWORD)
    [[ -n $root ]] || root=$(head -c 24 /dev/urandom | base64)
    user=$(value USER) database=$(value DATABASE)
    echo "SET @@SESSION.SQL_LOG_BIN = 0;"
    echo "ALTER USER 'root'@'localhost' IDENTIFIED BY $(quoted "$root");"
    [[ ${MARIADB_ROOT_HOST:-%} == localhost ]] \
        || echo "CREATE USER 'root'@'%' IDENTIFIED BY $(quoted "$root"); GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;"
    [[ -z $database ]] || echo "CREATE DATABASE IF NOT EXISTS \`$database\`;"
    if [[ -n $user ]]; then
        echo "CREATE USER $(quoted "$user")@'%' IDENTIFIED BY $(quoted "$(value PASSWORD)");"
        [[ -z $database ]] || echo "GRANT ALL ON \`${database//_/\\_}\`.* TO $(quoted "$user")@'%';"
    fi
}

initialise() {
    local socket=/tmp/initialise.sock server
    mariadb-install-db --datadir="$data" --auth-root-authentication-method=normal --skip-test-db >/dev/null
    mariadbd "$@" --skip-networking --socket="$socket" &
    server=$!
    for _ in $(seq 300); do
        mariadb-admin --socket="$socket" --user=root ping >/dev/null 2>&1 && break
        sleep 0.1
    done
    statements | mariadb --no-defaults --socket="$socket" --user=root mysql
    kill "$server"
    wait "$server" || true
}

if [[ $1 == mariadbd && ! -d $data/mysql ]]; then
    initialise "${@:2}"
fi
exec "$@"
