# Debezium's connector: what changes in Cassandra goes to Kafka, into the topics debezium.KEYSPACE.TABLE. Sourced, not run.

debezium_install() {
    jars_install cassandra curl=curl
}

debezium_address() {
    echo "127.0.0.1:$(port_of debezium-1)"
}

debezium_create() {
    mkdir -p "$state/debezium-1/offsets" "$state/debezium-1/relocated"
    debezium_properties >"$state/debezium-1/debezium.properties"
    cat >"$state/debezium-1/driver.conf" <<DRIVER
datastax-java-driver {
  basic.contact-points = ["$(cassandra_address)"]
  basic.load-balancing-policy.local-datacenter = datacenter1
  advanced.metadata.schema.debouncer.window = 10 milliseconds
}
DRIVER
    debezium_launch debezium-1
}

debezium_properties() {
    local folder=$state/debezium-1
    cat <<PROPERTIES
connector.name=weir
topic.prefix=debezium
cassandra.node.id=cassandra-1
cassandra.cluster.name=weir
cassandra.config=$state/cassandra-1/cassandra.yaml
cassandra.driver.config.file=$folder/driver.conf
kafka.producer.bootstrap.servers=$(kafka_address)
kafka.producer.acks=all
offset.backing.store.dir=$folder/offsets
commit.log.relocation.dir=$folder/relocated
commit.log.transfer.class=io.debezium.connector.cassandra.BlackHoleCommitLogTransfer
# Else a change waits until its segment of the log is full.
commit.log.real.time.processing.enabled=true
commit.log.marked.complete.poll.interval.ms=10
cdc.dir.poll.interval.ms=10
poll.interval.ms=10
snapshot.mode=never
snapshot.consistency=ONE
schema.refresh.interval.ms=500
http.port=$(port_of debezium-1)
key.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=false
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
tombstones.on.delete=false
PROPERTIES
}

debezium_launch() { # debezium_launch NAME
    local jars
    jars=$(jars_of cassandra)
    need_ports "$1" "$(port_of "$1")"
    within "$PATIENCE_S" debezium_can_begin || give_up "$1" "found no Cassandra and Kafka to go between"
    launch "$1" "${CASSANDRA_JVM[@]}" -Xmx128m -javaagent:"$(echo "$jars"/jamm-*.jar)" \
        -Dcassandra.config="file://$state/cassandra-1/cassandra.yaml" -Dcassandra.storagedir="$state/cassandra-1" \
        -cp "$jars/*" io.debezium.connector.cassandra.CassandraConnectorTask "$state/$1/debezium.properties"
}

debezium_can_begin() {
    cassandra_ready cassandra-1 && kafka_ready kafka-1
}

debezium_ready() { # debezium_ready NAME
    curl -sf -m 3 -o /dev/null "http://127.0.0.1:$(port_of "$1")/ping"
}
