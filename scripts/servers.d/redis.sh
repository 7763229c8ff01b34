# Redis Cluster: three primaries, three replicas. Sourced, not run.

redis_install() {
    if ! command -v redis-server >/dev/null || ! command -v redis-cli >/dev/null; then
        install_idle redis-server redis-tools || { echo "apt-get install redis-server redis-tools"; return 2; }
    fi
}

redis_address() {
    local name list=()
    for name in $(names_of redis); do list+=("redis://127.0.0.1:$(port_of "$name")"); done
    (IFS=,; echo "${list[*]}")
}

redis_create() {
    local name addresses=()
    for name in $(names_of redis); do redis_launch "$name"; done
    for name in $(names_of redis); do
        within "$PATIENCE_S" redis_answers "$name" || give_up "$name" "does not answer"
        addresses+=("127.0.0.1:$(port_of "$name")")
    done
    timeout "$PATIENCE_S" redis-cli --cluster create "${addresses[@]}" --cluster-replicas 1 --cluster-yes \
        >>"$state/redis-1/log" 2>&1 </dev/null || give_up redis-1 "could not join the nodes to a cluster"
}

redis_launch() { # redis_launch NAME
    local port
    port=$(port_of "$1")
    need_ports "$1" "$port" $((port + 10000))
    mkdir -p "$state/$1/data"
    launch "$1" redis-server --port "$port" --bind 127.0.0.1 --protected-mode no --dir "$state/$1/data" \
        --cluster-enabled yes --cluster-node-timeout 2000 --cluster-replica-validity-factor 0 \
        --appendonly yes --appendfsync everysec --save '' --repl-diskless-sync-delay 0
}

ask() { # ask NAME WORD…
    local port
    port=$(port_of "$1")
    shift
    timeout 2 redis-cli -h 127.0.0.1 -p "$port" "$@" 2>/dev/null </dev/null | tr -d '\r'
}

redis_answers() { # redis_answers NAME
    [ "$(ask "$1" ping)" = PONG ]
}

# Ready: it sees a cluster that serves every slot, and a replica has its link. With all six up, every primary has its replica.
redis_ready() { # redis_ready NAME
    local name info nodes replication
    info=$(ask "$1" cluster info) && replication=$(ask "$1" info replication) && nodes=$(ask "$1" cluster nodes) || return 1
    grep -q '^cluster_state:ok$' <<<"$info" && grep -q "^cluster_known_nodes:${SIZES[redis]}$" <<<"$info" || return 1
    grep -q '^role:master$' <<<"$replication" || grep -q '^master_link_status:up$' <<<"$replication" || return 1
    for name in $(names_of redis); do runs "$name" || return 0; done
    [ "$(grep -c ' slave ' <<<"${nodes//myself,/}")" -eq 3 ] && ! grep -q -e fail -e disconnected -e handshake <<<"$nodes"
}
