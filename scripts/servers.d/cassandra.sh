# Cassandra: one node, which keeps what changes for the connector. Sourced, not run.
#
# ScyllaDB speaks the same protocol, but has no package that could be had here.

# Jamm weighs objects for Cassandra, and wants to look into those of the runtime.
CASSANDRA_JVM=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Djava.net.preferIPv4Stack=true)
for package in jdk.internal.ref java.io java.nio sun.nio.ch java.lang java.util java.util.concurrent java.util.concurrent.atomic; do
    CASSANDRA_JVM+=("--add-opens=java.base/$package=ALL-UNNAMED")
done
unset package

cassandra_install() {
    jars_install cassandra
}

cassandra_address() {
    echo "127.0.0.1:$(port_of cassandra-1)"
}

# Nodes would talk to each other here; there is only the one.
cassandra_storage_port() {
    echo $(($(port_of cassandra-1) + 1))
}

cassandra_create() {
    cassandra_yaml >"$state/cassandra-1/cassandra.yaml"
    cassandra_launch cassandra-1
}

cassandra_yaml() {
    local folder=$state/cassandra-1
    cat <<YAML
cluster_name: weir
num_tokens: 1
auto_bootstrap: false
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "127.0.0.1:$(cassandra_storage_port)"
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
storage_port: $(cassandra_storage_port)
native_transport_port: $(port_of cassandra-1)
data_file_directories: [$folder/data]
commitlog_directory: $folder/commitlog
cdc_raw_directory: $folder/cdc
hints_directory: $folder/hints
saved_caches_directory: $folder/caches

# Changes reach the connector as soon as they are on disk.
cdc_enabled: true
commitlog_sync: periodic
commitlog_sync_period: 10ms
commitlog_segment_size: 4MiB

memtable_heap_space: 32MiB
memtable_offheap_space: 32MiB
key_cache_size: 4MiB
file_cache_size: 32MiB
concurrent_reads: 4
concurrent_writes: 8
concurrent_compactors: 1
auto_snapshot: false
YAML
}

# Most tests need little of its memory. Of 200,000 events, which 'bench browse' adds, less than half of it collects all of it
# again and again.
cassandra_launch() { # cassandra_launch NAME
    local jars
    jars=$(jars_of cassandra)
    need_ports "$1" "$(port_of "$1")" "$(cassandra_storage_port)"
    launch "$1" "${CASSANDRA_JVM[@]}" -Xms384m -Xmx1280m -Xmn256m -javaagent:"$(echo "$jars"/jamm-*.jar)" \
        -Dcassandra.config="file://$state/$1/cassandra.yaml" -Dcassandra.storagedir="$state/$1" \
        -Dcassandra.ring_delay_ms=100 -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.superuser_setup_delay_ms=0 \
        -Dcassandra-foreground=yes -cp "$jars/*" org.apache.cassandra.service.CassandraDaemon
}

cassandra_ready() { # cassandra_ready NAME
    listening "$(port_of "$1")"
}
