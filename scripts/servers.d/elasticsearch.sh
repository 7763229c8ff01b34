# Elasticsearch: one node, the last version under the Apache licence. Sourced, not run.

ELASTICSEARCH_JVM=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Xmx512m)

elasticsearch_install() {
    jars_install elasticsearch curl=curl
}

elasticsearch_address() {
    echo "127.0.0.1:$(port_of elasticsearch-1)"
}

# Nodes would talk to each other here; there is only the one.
elasticsearch_transport_port() {
    echo $(($(port_of elasticsearch-1) + 1))
}

elasticsearch_create() {
    mkdir -p "$state/elasticsearch-1/home/config"
    elasticsearch_launch elasticsearch-1
}

elasticsearch_launch() { # elasticsearch_launch NAME
    local jars
    jars=$(jars_of elasticsearch)
    need_ports "$1" "$(port_of "$1")" "$(elasticsearch_transport_port)"
    launch "$1" "${ELASTICSEARCH_JVM[@]}" -cp "$jars:$jars/*" Search "$state/$1" "$(port_of "$1")" \
        "$(elasticsearch_transport_port)"
}

elasticsearch_ready() { # elasticsearch_ready NAME
    curl -sf -m 3 -o /dev/null "http://127.0.0.1:$(port_of "$1")/_cluster/health?wait_for_status=yellow&timeout=1s"
}
