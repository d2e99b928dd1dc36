#!/usr/bin/env bash
# A private Docker engine for as long as standard input is open: for machines that have none, as root.
#   engine.sh DIRECTORY   its data, its socket (docker.sock) and its log (dockerd.log); `ready ADDRESS` is printed once it answers
#
# It lives in namespaces of its own for mounts, processes and the network. Whatever it makes there, bridges, firewall chains,
# containers, control groups' mounts, ends with it, be it killed; and an engine that the machine has is never disturbed. One
# pair of virtual interfaces leads out of it: published ports answer at ADDRESS.
set -euo pipefail

mark=postrmagic-engine
self=$(readlink -f "$0")

# Of rules in the machine's own firewall, those that a killed run left behind are removed with the next one.
unmark() {
    local table rule
    for table in filter nat; do
        { iptables-save -t "$table" 2>/dev/null || true; } | { grep -- "--comment $1" || true; } | sed 's/^-A/-D/' | while read -r rule; do
            # shellcheck disable=SC2086 # words of a rule
            iptables -w -t "$table" $rule || true
        done
    done
}

stale() {
    local link
    { iptables-save 2>/dev/null || true; } | sed -nE "s/.*--comment $mark-([0-9]+).*/\\1/p" | sort -u | while read -r link; do
        ip -o link show "pm$link" >/dev/null 2>&1 || unmark "$mark-$link"
    done
}

rules() {
    iptables -w -t nat -A POSTROUTING -s "10.203.$number.0/30" ! -o "$link" -m comment --comment "$mark-$number" -j MASQUERADE
    iptables -w -I FORWARD -i "$link" -m comment --comment "$mark-$number" -j ACCEPT
    iptables -w -I FORWARD -o "$link" -m comment --comment "$mark-$number" -j ACCEPT
}

outside() {
    stale
    number=1
    while ip -o link show "pm$number" >/dev/null 2>&1; do number=$((number + 1)); done
    link=pm$number
    mkfifo "$directory/go.$$"
    unshare --mount --net --pid --fork --kill-child --mount-proc --propagation unchanged \
        bash "$self" --inside "$directory" "$number" "$directory/go.$$" </dev/null >"$directory/dockerd.log" 2>&1 &
    engine=$!
    trap finish EXIT
    trap 'exit 143' TERM INT HUP
    for _ in $(seq 100); do
        [[ $(readlink "/proc/$engine/ns/net") != $(readlink /proc/self/ns/net) ]] && break
        kill -0 "$engine" 2>/dev/null || { tail -20 "$directory/dockerd.log" >&2; exit 1; }
        sleep 0.05
    done
    ip link add "$link" mtu "$(mtu)" type veth peer name outside mtu "$(mtu)" netns "$engine"
    ip addr add "10.203.$number.1/30" dev "$link"
    ip link set "$link" up
    rules
    forwarding=$(cat /proc/sys/net/ipv4/ip_forward)
    [[ $forwarding == 1 ]] || echo 1 >/proc/sys/net/ipv4/ip_forward
    exec 3>"$directory/go.$$"
    mtu >&3
    for _ in $(seq 300); do
        DOCKER_HOST=unix://$directory/docker.sock docker info >/dev/null 2>&1 && break
        kill -0 "$engine" 2>/dev/null || { tail -20 "$directory/dockerd.log" >&2; exit 1; }
        sleep 0.1
    done
    DOCKER_HOST=unix://$directory/docker.sock docker info >/dev/null
    echo "ready 10.203.$number.2"
    exec >/dev/null   # whoever started this may be gone by the time it ends
    cat >/dev/null 3>&-
}

# Of the way out, so that packets of containers are no longer than it takes.
mtu() {
    local device
    device=$(ip route show default | grep -oE 'dev [^ ]+' | head -1 | cut -d ' ' -f 2)
    cat "/sys/class/net/$device/mtu" 2>/dev/null || ip -o link show "$device" | grep -oE 'mtu [0-9]+' | cut -d ' ' -f 2
}

finish() {
    trap - EXIT
    trap '' TERM INT HUP
    exec 3>&-
    for _ in $(seq 200); do
        kill -0 "$engine" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$engine" 2>/dev/null || true
    ip link del "$link" 2>/dev/null || true
    unmark "$mark-$number"
    [[ ${forwarding:-1} == 1 ]] || echo "$forwarding" >/proc/sys/net/ipv4/ip_forward
    rm -f "$directory/go.$$" "$directory/docker.sock" "$directory/docker.pid"
}

control_groups() {
    local id names
    [[ -d /sys/fs ]] || mount -t sysfs sysfs /sys
    [[ -z $(ls -A /sys/fs/cgroup) ]] || return 0
    if [[ $(wc -l </proc/self/cgroup) == 1 ]]; then
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
        return 0
    fi
    mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
    while IFS=: read -r id names _; do
        [[ $id != 0 ]] || continue
        mkdir "/sys/fs/cgroup/${names#name=}"
        mount -t cgroup -o "$names" cgroup "/sys/fs/cgroup/${names#name=}"
    done </proc/self/cgroup
}

inside() {
    local size
    exec 4<"$go"
    read -r size <&4
    # In a plain chroot the root is no mount: no container's root could be put in its place, and what is executed in a
    # running container would begin at the root of this namespace, outside of both. So the chroot becomes that root.
    if ! mountpoint -q /; then
        exec 5</ 6<"$self"
        exec nsenter --mount=/proc/self/ns/mnt bash /proc/self/fd/6 --turned "$directory" "$number" "$self" "$size"
    fi
    mount --make-rprivate /
    rooted "$size"
}

# At the root of the namespace, with the chroot at descriptor 5.
turned() {
    local root
    root=$(readlink /proc/self/fd/5)
    mount --make-rprivate /
    mount --rbind "$root" "$root"
    cd "$root"
    pivot_root . .
    umount --lazy .
    exec 5<&- 6<&-
    exec bash "$1" --rooted "$directory" "$number" "$2"
}

rooted() {
    control_groups
    mount -t tmpfs tmpfs /run
    ip link set lo up
    ip addr add "10.203.$number.2/30" dev outside
    ip link set outside up
    ip route add default via "10.203.$number.1"
    cat >"$directory/daemon.json" <<JSON
{"data-root": "$directory/data", "exec-root": "/run/docker", "pidfile": "$directory/docker.pid",
 "hosts": ["unix://$directory/docker.sock"], "exec-opts": ["native.cgroupdriver=cgroupfs"], "mtu": $1,
 "bip": "10.204.0.1/24", "default-address-pools": [{"base": "10.205.0.0/16", "size": 24}],
 "shutdown-timeout": 3}
JSON
    rm -f "$directory/docker.pid" "$directory/docker.sock"
    dockerd --config-file "$directory/daemon.json" &
    daemon=$!
    # The first process of this namespace, whose end is the end of all others. It ends when whoever started it does.
    while kill -0 "$daemon" 2>/dev/null; do
        if read -r -t 1 <&4; then break; elif (($? <= 128)); then break; fi
    done
    kill -TERM "$daemon" 2>/dev/null || true
    wait "$daemon" || true
}

export PATH=/usr/bin:/usr/sbin:/sbin:$PATH
case "${1:-}" in
    --inside) directory=$2 number=$3 go=$4 && inside ;;
    --turned) directory=$2 number=$3 && turned "$4" "$5" ;;
    --rooted) directory=$2 number=$3 && rooted "$4" ;;
    /*) directory=$1 && mkdir -p "$directory" && outside ;;
    *) echo "usage: engine.sh /DIRECTORY" >&2 && exit 2 ;;
esac
