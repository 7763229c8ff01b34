# Elasticsearch: one node, the last version under the Apache licence. Sourced, not run.

ELASTICSEARCH_JVM=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Xmx512m)
ELASTICSEARCH_HOME=$here/servers.d/elasticsearch

# JARs and the compiled launcher, in a folder that is named by what it was made from.
elasticsearch_jars() {
    local sum
    sum=$(cat "$ELASTICSEARCH_HOME/pom.xml" "$ELASTICSEARCH_HOME/Search.java" | sha256sum)
    echo "${XDG_CACHE_HOME:-$HOME/.cache}/weir/elasticsearch-${sum:0:12}"
}

elasticsearch_install() {
    local jars wanted=()
    jars=$(elasticsearch_jars)
    command -v java >/dev/null || wanted+=(default-jre-headless)
    command -v curl >/dev/null || wanted+=(curl)
    if [ ! -d "$jars" ]; then
        command -v javac >/dev/null || wanted+=(default-jdk-headless)
        command -v mvn >/dev/null || wanted+=(maven)
    fi
    if [ "${#wanted[@]}" -gt 0 ] && ! install_idle "${wanted[@]}"; then
        echo "apt-get install ${wanted[*]}"
        return 2
    fi
    [ -d "$jars" ] || elasticsearch_fetch "$jars"
}

elasticsearch_fetch() { # elasticsearch_fetch FOLDER
    local fresh=$1.$$
    mkdir -p "$fresh"
    if timeout "$PATIENCE_FETCH_S" mvn -q -B -f "$ELASTICSEARCH_HOME/pom.xml" \
        org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$fresh" </dev/null >"$fresh/log" 2>&1 &&
        javac -nowarn -cp "$fresh/*" -d "$fresh" "$ELASTICSEARCH_HOME/Search.java" >>"$fresh/log" 2>&1; then
        # In one step, so that no folder of that name is ever half full.
        rm -f "$fresh/log"
        mv -T "$fresh" "$1" 2>/dev/null || rm -rf "$fresh"
    else
        echo "Maven and javac could not make what $ELASTICSEARCH_HOME names: $(tail -n 1 "$fresh/log")"
        rm -rf "$fresh"
        return 2
    fi
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
    jars=$(elasticsearch_jars)
    need_ports "$1" "$(port_of "$1")" "$(elasticsearch_transport_port)"
    launch "$1" "${ELASTICSEARCH_JVM[@]}" -cp "$jars:$jars/*" Search "$state/$1" "$(port_of "$1")" \
        "$(elasticsearch_transport_port)"
}

elasticsearch_ready() { # elasticsearch_ready NAME
    curl -sf -m 3 -o /dev/null "http://127.0.0.1:$(port_of "$1")/_cluster/health?wait_for_status=yellow&timeout=1s"
}
