# Kafka: three nodes, each broker and controller (KRaft). Sourced, not run.

KAFKA_JVM=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Xmx256m)

kafka_install() {
    jars_install kafka kcat=kcat
}

kafka_address() {
    local name list=()
    for name in $(names_of kafka); do list+=("127.0.0.1:$(port_of "$name")"); done
    (IFS=,; echo "${list[*]}")
}

controller_port() { # controller_port NAME
    # shellcheck disable=SC2154 # the key of an associative array
    echo $(($(port_of "$1") + SIZES[kafka]))
}

# Each broker also listens on a port that it tells nobody: what it tells is the port of a proxy, for tests that cut
# the way between the two.
far_port() { # far_port NAME
    # shellcheck disable=SC2154
    echo $(($(port_of "$1") + 2 * SIZES[kafka]))
}

proxy_port() { # proxy_port NAME
    # shellcheck disable=SC2154
    echo $(($(port_of "$1") + 3 * SIZES[kafka]))
}

# Where proxies are to listen, and what is behind each.
kafka_ways() {
    local name list=()
    for name in $(names_of kafka); do list+=("127.0.0.1:$(proxy_port "$name")=127.0.0.1:$(far_port "$name")"); done
    (IFS=,; echo "${list[*]}")
}

kafka_create() {
    local name id voters=() formats=() pid
    # Not + and / alone: an id that begins with - would be taken for an option.
    id=$(head -c 16 /dev/urandom | base64 | tr '+/' 'xy' | tr -d '=')
    for name in $(names_of kafka); do voters+=("${name##*-}@127.0.0.1:$(controller_port "$name")"); done
    for name in $(names_of kafka); do
        need_ports "$name" "$(port_of "$name")" "$(controller_port "$name")" "$(far_port "$name")"
        kafka_properties "$name" "$(IFS=,; echo "${voters[*]}")" >"$state/$name/server.properties"
        "${KAFKA_JVM[@]}" -cp "$(jars_of kafka)/*" kafka.tools.StorageTool format -t "$id" -c "$state/$name/server.properties" \
            >>"$state/$name/log" 2>&1 </dev/null 9>&- &
        formats+=("$!")
    done
    for pid in "${formats[@]}"; do
        wait "$pid" || give_up kafka-1 "could not format its folder"
    done
    for name in $(names_of kafka); do kafka_launch "$name"; done
}

kafka_properties() { # kafka_properties NAME VOTERS
    local broker
    broker=PLAINTEXT://127.0.0.1:$(port_of "$1")
    cat <<PROPERTIES
process.roles=broker,controller
node.id=${1##*-}
controller.quorum.voters=$2
listeners=$broker,FAR://127.0.0.1:$(far_port "$1"),CONTROLLER://127.0.0.1:$(controller_port "$1")
advertised.listeners=$broker,FAR://127.0.0.1:$(proxy_port "$1")
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,FAR:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$state/$1/data

default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0

# A killed broker holds up acks=all until its session ends; the default is 9 s.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500

num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=16777216
PROPERTIES
}

kafka_launch() { # kafka_launch NAME
    need_ports "$1" "$(port_of "$1")" "$(controller_port "$1")" "$(far_port "$1")"
    launch "$1" "${KAFKA_JVM[@]}" -Dlog4j2.configurationFile="$here/servers.d/kafka/log4j2.properties" -cp "$(jars_of kafka)/*" \
        kafka.Kafka "$state/$1/server.properties"
}

# Ready: its metadata lists every node that runs, theirs list it, each in sync on every partition that it has a copy of.
# What it says alone is not enough: after a hang it still shows the cluster as it was.
kafka_ready() { # kafka_ready NAME
    local other mine
    mine=$(kafka_metadata "$1") || return 1
    for other in $(names_of kafka); do
        runs "$other" || continue
        kafka_lists "$other" <<<"$mine" || return 1
        [ "$other" = "$1" ] || kafka_metadata "$other" | kafka_lists "$1" || return 1
    done
}

kafka_metadata() { # kafka_metadata NAME
    local port
    port=$(port_of "$1")
    listening "$port" && timeout 4 kcat -L -m 3 -b "127.0.0.1:$port" 2>/dev/null
}

# Reads metadata, and succeeds where it lists the node, in sync.
kafka_lists() { # kafka_lists NAME <METADATA
    awk -v me="${1##*-}" '
        $1 == "broker" && $2 == me { listed = 1 }
        # partition 0, leader 1, replicas: 1,2,3, isrs: 1,2,3
        / replicas: / {
            replicas = isrs = $0
            sub(/.* replicas: /, "", replicas); sub(/, isrs: .*/, "", replicas)
            sub(/.*, isrs: /, "", isrs); sub(/, .* .*/, "", isrs)
            if (index("," replicas ",", "," me ",") && !index("," isrs ",", "," me ",")) behind = 1
        }
        END { exit !listed || behind }'
}
