#!/usr/bin/env bash
# As the original: the server does not run as root.
set -euo pipefail
if [[ $1 == rabbitmq* && $(id -u) == 0 ]]; then
    chown rabbitmq:rabbitmq /var/lib/rabbitmq
    exec gosu rabbitmq "$0" "$@"
fi
exec "$@"
