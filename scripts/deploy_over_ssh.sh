#!/usr/bin/env bash
# Run `postrmagic deploy` against the Docker engine of another machine, over ssh:
#   deploy_over_ssh.sh ENVIRONMENT ACTION [OPTION…]
#   ENVIRONMENT         which file of deploy/environments
#   ACTION              up (with RELEASE and IMAGE), rollback, status or unlock
#   OPTION              further ones of that command, as --watch 60
# In the environment:
#   DEPLOY_HOST         ssh://user@host[:port]; the user may speak to Docker and write DEPLOY_PATH
#   DEPLOY_KNOWN_HOSTS  the host's lines of known_hosts: an unknown host is never trusted
#   DEPLOY_SSH_KEY      the user's private key; an agent holds it for as long as this runs, no file ever does
#   DEPLOY_PATH         where compose.yaml lies there, with what it mounts. Here it must be a folder that can be
#                       written, since compose gives the engine the paths it sees here. deploy/secrets stays where it is
#   POSTRMAGIC          the command, if it is not `postrmagic`
set -euo pipefail
cd "$(dirname "$0")/.."

usage='usage: deploy_over_ssh.sh ENVIRONMENT up|rollback|status|unlock [OPTION…]'
environment=${1:?$usage}
action=${2:?$usage}
: "${DEPLOY_HOST:?}" "${DEPLOY_KNOWN_HOSTS:?}" "${DEPLOY_SSH_KEY:?}" "${DEPLOY_PATH:?}"

refuse() {
    echo "not deployed: $*" >&2
    exit 1
}

[[ $DEPLOY_HOST == ssh://?* ]] || refuse "DEPLOY_HOST is ssh://user@host"
[[ $DEPLOY_PATH =~ ^/[A-Za-z0-9._/-]+$ ]] || refuse "DEPLOY_PATH is an absolute path of plain letters"
[[ $environment =~ ^[a-z]+$ && -r deploy/environments/$environment.env ]] \
    || refuse "deploy/environments has no $environment.env"
options=(--file "$DEPLOY_PATH/compose.yaml" --env-file "$DEPLOY_PATH/deploy/environments/$environment.env")
case $action in
    up) options+=(--release "${RELEASE:?}" --image "${IMAGE:?}" --yes) ;;
    rollback) options+=(--yes) ;;
    status | unlock) ;;
    *) refuse "$usage" ;;
esac
[[ -d $DEPLOY_PATH && -w $DEPLOY_PATH ]] || refuse "$DEPLOY_PATH must be a folder here too, and be yours to write"

scratch=$(mktemp -d)
finish() {
    [[ ! -x $scratch/bin/ssh ]] || "$scratch/bin/ssh" -q -O exit "$DEPLOY_HOST" 2>/dev/null || true
    [[ -z ${SSH_AGENT_PID:-} ]] || kill "$SSH_AGENT_PID" 2>/dev/null || true
    rm -rf "$scratch"
}
trap finish EXIT

eval "$(ssh-agent -a "$scratch/agent")" >/dev/null
ssh-add -q - <<<"$DEPLOY_SSH_KEY" || refuse "DEPLOY_SSH_KEY is no private key without a passphrase"
unset DEPLOY_SSH_KEY  # no child has a use for it
printf '%s\n' "$DEPLOY_KNOWN_HOSTS" >"$scratch/known_hosts"

# Docker runs whatever `ssh` is first on PATH, and takes no option for it. One connection is enough for all its commands.
ssh=$(command -v ssh)
cat >"$scratch/config" <<TEXT
BatchMode yes
StrictHostKeyChecking yes
UserKnownHostsFile $scratch/known_hosts
GlobalKnownHostsFile /dev/null
ConnectTimeout 15
ServerAliveInterval 15
ControlMaster auto
ControlPath $scratch/%C
ControlPersist 30
TEXT
mkdir "$scratch/bin"
printf '#!/bin/sh\nexec %q -F %q "$@"\n' "$ssh" "$scratch/config" >"$scratch/bin/ssh"
chmod 700 "$scratch/bin/ssh"
export PATH="$scratch/bin:$PATH" DOCKER_HOST="$DEPLOY_HOST"
unset DOCKER_CONTEXT

# The same files at the same path on both sides. Secrets never travel: deploy/secrets is made over there, once.
files() { tar -cf - --exclude=deploy/secrets compose.yaml deploy src/postrmagic_core/observability/resources; }
[[ $DEPLOY_PATH -ef . ]] || files | tar -C "$DEPLOY_PATH" -xf -
# shellcheck disable=SC2029 # the path is plain letters, and is meant to be filled in here
files | ssh "$DEPLOY_HOST" "mkdir -p $DEPLOY_PATH && tar -C $DEPLOY_PATH -xf -" || refuse "$DEPLOY_PATH over there takes no files"

"${POSTRMAGIC:-postrmagic}" deploy "$action" "${options[@]}" "${@:3}"
