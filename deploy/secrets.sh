#!/bin/sh
# Make the secrets of a deployment, each in a file of its own: deploy/secrets.sh [DIRECTORY], by default deploy/secrets.
# It asks nothing, and what is there stays as it is: run it again after an update, or once more after it was interrupted.
#
# The directory is for its owner alone. The files in it may be read by whoever gets there: containers see them, one by one,
# as users of their own.
set -eu

directory=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$directory"
chmod 0700 "$directory"
cd "$directory"

# A file appears whole or not at all, and never in another's place.
keep() {
    if [ -e "$1" ]; then
        cat >/dev/null
        return
    fi
    cat >".$1.$$"
    chmod 0444 ".$1.$$"
    ln ".$1.$$" "$1" 2>/dev/null || [ -e "$1" ]
    rm -f ".$1.$$"
}

# 256 bits, in characters that need no escape in a URL, in JSON or in a configuration file.
random() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

trap 'rm -f .*."$$"' EXIT
for name in database_password database_root_password redis_password rabbitmq_password grafana_password observability__token; do
    random | keep "$name"
done
for name in security__keys backups__keys; do
    printf '["%s"]' "$(random)" | keep "$name"
done

printf 'mysql://media:%s@database/media' "$(cat database_password)" | keep database__url
printf 'amqp://media:%s@rabbitmq/media' "$(cat rabbitmq_password)" | keep jobs__url.rabbitmq
number=0
for name in jobs__url.redis sessions__url cache__url limits__url observability__url events__url; do
    printf 'redis://media:%s@redis/%s' "$(cat redis_password)" "$number" | keep "$name"
    number=$((number + 1))
done

# Who has not logged in may ask whether the server is there, and nothing else.
{
    echo 'user default on nopass resetchannels -@all +ping'
    echo "user media on >$(cat redis_password) ~* &* +@all -@admin -flushall -flushdb -swapdb -keys +config|get"
} | keep redis_users.acl
{
    echo 'default_vhost = media'
    echo 'default_user = media'
    echo "default_pass = $(cat rabbitmq_password)"
} | keep rabbitmq.conf
